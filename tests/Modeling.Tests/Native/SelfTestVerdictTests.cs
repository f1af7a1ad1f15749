namespace MLNetLoRA.Modeling.Tests.Native;

public class SelfTestVerdictTests
{
    [Fact]
    public void Of_PassedAndEndedWell_IsNull() => Assert.Null(SelfTestVerdict.Of(0, "passed", "noise"));

    [Theory]
    [InlineData(1, "failed: svd gave 1, right is 2", "", "svd gave 1, right is 2")]
    [InlineData(139, "running: svd", "", "it ended with signal 11 (SIGSEGV) in 'svd'")]
    [InlineData(134, "running: load", "\n terminate called\n frame", "it ended with signal 6 (SIGABRT) in 'load': terminate called")]
    [InlineData(127, "running: svd", "app: symbol lookup error", "it ended with exit code 127 in 'svd': app: symbol lookup error")]
    [InlineData(unchecked((int)0xC0000005), "running: svd", "", "it ended with exit code 0xC0000005 in 'svd'")]
    [InlineData(139, "passed", "", "every check was right, but the process ended with signal 11 (SIGSEGV)")]
    [InlineData(0, null, "", "the process ended with exit code 0 before the self-test began")]
    [InlineData(150, null, "no framework", "the process ended with signal 22 before the self-test began: no framework")]
    public void Of_AnythingElse_SaysWhatHappenedWhere(int exitCode, string? written, string errors, string reason) =>
        Assert.Equal(reason, SelfTestVerdict.Of(exitCode, written, errors));

    [Fact]
    public void Of_LongErrorLine_IsCut() => Assert.True(SelfTestVerdict.Of(1, "running: load", new string('x', 10_000))!.Length < 500);

    [Theory]
    [InlineData(new[] { 1.0, 2 }, new[] { 1.00001, 2 }, null)]
    [InlineData(new[] { 1.0, 2.1 }, new[] { 1.0, 2 }, "svd gave 1, 2.1, right is 1, 2")]
    [InlineData(new[] { 1.0 }, new[] { 1.0, 2 }, "svd gave 1, right is 1, 2")]
    [InlineData(new[] { double.NaN }, new[] { 1.0 }, "svd gave NaN, right is 1")]
    public void Judge_Numbers_AreHeldAgainstTheKnownOnes(double[] found, double[] wanted, string? fault) =>
        Assert.Equal(fault, LibTorchSelfTest.Judge("svd", found, wanted));
}
