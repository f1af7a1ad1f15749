using System.Reflection;

namespace MLNetLoRA.Cli.Tests;

public class FaultTests
{
    [Fact]
    public void Of_MessageOfSeveralLines_IsOneLine() =>
        Assert.Equal("first second third", Fault.Of(new InvalidDataException("first\r\n    second\u2028third\n")).Message);

    [Fact]
    public void Of_LibraryOption_IsNamedAsTyped() =>
        Assert.Equal(
            new Fault("--rank is 0; use 1 or more. --epochs is 0; use 1 or more.", IsBadInput: true),
            Fault.Of(new ArgumentException("LoraTextClassification: Lora.Rank is 0; use 1 or more. MaxEpochs is 0; use 1 or more.", "options")));

    [Fact]
    public void Of_WrappedException_IsItsCause() =>
        Assert.True(Fault.Of(new AggregateException(new TargetInvocationException(new BadInputException("cause")))) is { Message: "cause", IsBadInput: true });

    [Fact]
    public void Of_FailureOfTheWork_IsNoBadInput()
    {
        Assert.False(Fault.Of(new IOException("disk full")).IsBadInput);
        Assert.False(Fault.Of(new InvalidOperationException("oh")).IsBadInput);
        Assert.False(Fault.Of(new OperationCanceledException()).IsBadInput);
    }
}
