namespace MLNetLoRA.Modeling.Tests.Native;

public class ExistingTorchTests
{
    private static readonly LibTorchVersion Equal = new(2, 10, "2.10.1+cu128", "/t/version.py"), Other = new(2, 9, "2.9.0", "/t/version.py");

    [Fact]
    public void Choose_VariableUnset_IsNull() => Assert.Null(ExistingTorch.Choose(_ => null, Unasked));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Judge_EqualVersion_IsTakenWithoutASelfTest(bool allowMismatch) =>
        Assert.Equal("libtorch 2.10.1+cu128 (/t/version.py) in /t/lib", ExistingTorch.Judge("/t/lib", Equal, allowMismatch, Unasked).ToString());

    [Fact]
    public void Judge_OtherVersion_NamesFoundWantedAndTheVariable()
    {
        var message = Assert.Throws<DllNotFoundException>(() => ExistingTorch.Judge("/t/lib", Other, false, Unasked)).Message;
        Assert.Contains("it is version 2.9.0 (/t/version.py), TorchSharp wants 2.10", message);
        Assert.Contains("set MLNETLORA_LIBTORCH_ALLOW_MISMATCH=1", message);
    }

    [Fact]
    public void Judge_UnknownVersion_NamesWhereItWasLookedFor()
    {
        var message = Assert.Throws<DllNotFoundException>(() => ExistingTorch.Judge("/t/lib", null, false, Unasked)).Message;
        Assert.Contains("its version cannot be read (no torch/version.py, build-version", message);
        Assert.Contains("TorchSharp wants 2.10", message);
    }

    [Fact]
    public void Judge_AllowedAndSelfTestPasses_IsTaken()
    {
        Assert.Equal(Other, ExistingTorch.Judge("/t/lib", Other, true, _ => null).Version);
        Assert.Null(ExistingTorch.Judge("/t/lib", null, true, _ => null).Version);
    }

    [Fact]
    public void Judge_AllowedAndSelfTestFails_GivesItsReason()
    {
        var message = Assert.Throws<DllNotFoundException>(
            () => ExistingTorch.Judge("/t/lib", Other, true, folder => $"{folder}: undefined symbol: f")).Message;
        Assert.Contains("the self-test did not pass: /t/lib: undefined symbol: f", message);
    }

    private static string? Unasked(string folder) => throw new InvalidOperationException("The self-test ran.");
}
