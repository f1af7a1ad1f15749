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
}
