namespace MLNetLoRA.Modeling.Tests.Generation;

public class StopStringFilterTests
{
    [Fact]
    public void Append_StopStringOverSeveralPieces_IsNeverLetThrough()
    {
        var filter = new StopStringFilter(["\n\n", "END"]);

        Assert.Equal(["a", "b", "\nc", "", ""], ((string[])["a", "b\n", "cE", "N", "D."]).Select(filter.Append));
        Assert.True(filter.HasStopped);
    }

    [Fact]
    public void Append_PossibleBeginning_IsHeldBackUntilItIsKnown()
    {
        var filter = new StopStringFilter(["END"]);

        Assert.Equal(["a", "", "ENx", ""], ((string[])["aE", "N", "x", "E"]).Select(filter.Append));
        Assert.False(filter.HasStopped);
        Assert.Equal("E", filter.Finish());
    }

    [Fact]
    public void Append_TwoStopStrings_StopsBeforeTheFirst()
    {
        var filter = new StopStringFilter(["bc", "c"]);

        Assert.Equal("a", filter.Append("abcd"));
        Assert.True(filter.HasStopped);
        Assert.Equal("", filter.Append("more"));
        Assert.Equal("", filter.Finish());
    }

    [Fact]
    public void Append_NoStopStrings_LetsAllThrough() => Assert.Equal("text", new StopStringFilter([]).Append("text"));
}
