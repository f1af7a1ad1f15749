using TorchSharp;

namespace MLNetLoRA.Testing;

/// <summary>How many tensors the process holds; meaningful only in a test that runs alone.</summary>
/// <remarks>
/// A tensor that becomes a Parameter hands over its memory, but TorchSharp 0.107 goes on counting it: every Parameter ever made leaves one in
/// the count. Tests add the Parameters they cause to be made to the count they expect.
/// </remarks>
internal static class LiveTensors
{
    /// <summary>The count once everything that earlier tests left to the garbage collector is gone.</summary>
    public static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }

    /// <summary>The count now, with no help from the garbage collector: a tensor that only a finalizer would free still counts.</summary>
    public static long Now => torch.Tensor.TotalCount;
}

/// <summary>Tests that read or change what the whole process shares: live tensors, default device, global generator.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessWide
{
    public const string Name = "Process-wide";
}
