using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.Training;

public class ComputeDeviceTests
{
    private const string NoGpu = "A GPU is usable here; this test is about its absence.";
    private readonly List<string> _log = [];

    [Theory]
    [InlineData("cpu")]
    [InlineData("CPU")]
    [InlineData("cuda")]
    [InlineData("cuda:0")]
    [InlineData("CUDA:12")]
    public void Fault_OfANameThatExists_IsNone(string name) => Assert.Null(ComputeDevice.Fault(name));

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda: 1")]
    [InlineData("cuda:1.5")]
    [InlineData("cuda:99999999999")]
    [InlineData("meta")]
    public void Fault_OfAnotherName_SaysWhatToUse(string name) =>
        Assert.Equal($"Device is '{name}'; use cpu, cuda, or cuda:N with N from 0.", ComputeDevice.Fault(name));

    [Fact]
    public void Choose_Cpu_IgnoresTheContextsGpu()
    {
        Assert.Equal("cpu", Choose("cpu", gpuDeviceId: 0, fallBack: false));
        Assert.Equal("Device: cpu (as Device says).", Assert.Single(_log));
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda:3")]
    public void Choose_NamedGpuThatIsAbsent_ThrowsEvenWhereFallbackIsAllowed(string name)
    {
        Assert.SkipWhen(cuda.is_available(), NoGpu);
        var error = Assert.Throws<InvalidOperationException>(() => Choose(name, null, fallBack: true));
        Assert.StartsWith($"Device is '{name}', but no CUDA device is usable here", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Choose_GpuIdThatIsAbsent_FallsBackOnlyWhereAllowed()
    {
        Assert.SkipWhen(cuda.is_available(), NoGpu);
        Assert.Equal("cpu", Choose(null, 0, fallBack: true));
        Assert.Contains("GpuDeviceId is 0", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Contains("FallbackToCpu", _log[0], StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => Choose(null, 0, fallBack: false));
    }

    [Fact]
    public void Choose_NegativeGpuDeviceId_IsTheCpuAndSaysSo()
    {
        Assert.Equal("cpu", Choose(null, -1, fallBack: false));
        Assert.Equal(["Device: cpu (GpuDeviceId is -1)."], _log);
    }

    [Fact]
    public void Choose_NothingSaid_TakesWhatIsThereAndLogsWhy()
    {
        Assert.Equal(cuda.is_available() ? "cuda:0" : "cpu", Choose(null, null, fallBack: false));
        Assert.Single(_log);
    }

    [Fact]
    [Trait("Needs", "CUDA")]
    public void Choose_GpuId_IsHonoured()
    {
        Assert.SkipUnless(cuda.is_available(), "No GPU is usable here.");
        var last = cuda.device_count() - 1;
        Assert.Equal($"cuda:{last}", Choose(null, last, fallBack: false));
        Assert.Equal("cpu", Choose(null, last + 1, fallBack: true));
        Assert.Throws<InvalidOperationException>(() => Choose($"cuda:{last + 1}", null, fallBack: true));
    }

    private string Choose(string? name, int? gpuDeviceId, bool fallBack) =>
        ComputeDevice.Choose(name, gpuDeviceId, fallBack, _log.Add).ToString();
}
