using System.Diagnostics;
using TorchSharp;

namespace MLNetLoRA.Modeling.Tests.Native;

public class TorchNativeLibraryTests
{
    [Fact]
    public void Torch_TouchedBeforeAnythingOfOurs_Adds()
    {
        using var ones = torch.ones(3, 4);
        using var sum = ones.sum();
        Assert.Equal(12f, sum.item<float>());
        Assert.Null(TorchNativeLibrary.FailureMessage);
    }

    [Fact]
    public void Ensure_CalledAgain_ChangesNothing()
    {
        TorchNativeLibrary.Ensure();
        TorchNativeLibrary.Ensure();
        using var two = torch.tensor(2f);
        Assert.Equal(2f, two.item<float>());
    }

    [Fact]
    public void Torch_OnANamedLibTorch_HasNoOther()
    {
        var named = Environment.GetEnvironmentVariable("MLNETLORA_LIBTORCH");
        Assert.SkipWhen(named is null, "Runs where MLNETLORA_LIBTORCH is set: SelfTestProcessTests starts it so.");
        using var ones = torch.ones(3, 4, dtype: torch.float32, device: torch.CPU);
        Assert.Equal(36f, ones.matmul(ones.T).sum().item<float>());

        using var process = Process.GetCurrentProcess();
        var loaded = process.Modules.Cast<ProcessModule>().Select(module => module.FileName)
            .Where(path => Path.GetFileName(path).StartsWith("libtorch_cpu", StringComparison.Ordinal)).Distinct();
        Assert.StartsWith(named + "/", Assert.Single(loaded));
        Assert.Contains(named, TorchNativeLibrary.ExistingLibTorch);
        Assert.Null(TorchNativeLibrary.FailureMessage);
    }
}
