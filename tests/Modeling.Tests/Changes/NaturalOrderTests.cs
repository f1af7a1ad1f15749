namespace MLNetLoRA.Modeling.Tests.Changes;

public class NaturalOrderTests
{
    [Fact]
    public void Compare_NumbersInNames_CountAsNumbers() =>
        Assert.Equal(
            ["h.2.a", "h.2.a.b", "h.2.b", "h.10.a", "h.x.a", "i"],
            new[] { "i", "h.10.a", "h.x.a", "h.2.b", "h.2.a.b", "h.2.a" }.Order(NaturalOrder.Instance));

    [Fact]
    public void Compare_SpellingsOfOneNumber_DifferStill() => Assert.NotEqual(0, NaturalOrder.Instance.Compare("h.1", "h.01"));
}
