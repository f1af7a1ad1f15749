using System.Runtime.CompilerServices;
using MLNetLoRA.Modeling;
using TorchSharp;

namespace MLNetLoRA.Testing;

/// <summary>Tests use tiny matrices and run beside each other: one thread each is faster, and repeats to the bit.</summary>
internal static class OneTorchThread
{
    [ModuleInitializer]
    internal static void Set()
    {
        TorchNativeLibrary.EnsureLoaded();
        torch.set_num_threads(1);
    }
}
