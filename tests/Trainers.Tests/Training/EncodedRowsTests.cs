using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers.Tests.Training;

public class EncodedRowsTests
{
    // 20 rows of class 0, 10 of class 1, 2 of class 2, 1 of class 3; the id of a row is its number.
    private static readonly EncodedRows Rows = new(
        [.. Enumerable.Range(0, 33).Select(row => new EncodedText([row], null, WasTruncated: false))],
        [.. Enumerable.Range(0, 33).Select(row => row < 20 ? 0 : row < 30 ? 1 : row < 32 ? 2 : 3)]);

    [Fact]
    public void SplitStratified_TakesTheShareOfEachClassAndKeepsOneRowOfEach()
    {
        var (kept, held) = Rows.SplitStratified(0.2, [.. Enumerable.Range(0, 33)]);

        Assert.Equal([4, 2, 1], held.Classes.CountBy(c => c).OrderBy(count => count.Key).Select(count => count.Value));
        Assert.Equal([16, 8, 1, 1], kept.Classes.CountBy(c => c).OrderBy(count => count.Key).Select(count => count.Value));
        Assert.Equal(Enumerable.Range(0, 33), kept.Texts.Concat(held.Texts).Select(text => text.Ids[0]).Order());
    }

    [Fact]
    public void SplitStratified_KeepsTextsWithTheirClasses()
    {
        var (kept, held) = Rows.SplitStratified(0.3, [.. Enumerable.Range(0, 33).Reverse()]);

        foreach (var part in new[] { kept, held })
            foreach (var (r, text) in part.Texts.Index()) Assert.Equal(Rows.Classes[text.Ids[0]], part.Classes[r]);
    }

    [Fact]
    public void SplitStratified_AnotherOrder_HoldsOutOtherRows()
    {
        var (_, first) = Rows.SplitStratified(0.2, [.. Enumerable.Range(0, 33)]);
        var (_, second) = Rows.SplitStratified(0.2, [.. Enumerable.Range(0, 33).Reverse()]);

        Assert.NotEqual(first.Texts.Select(text => text.Ids[0]), second.Texts.Select(text => text.Ids[0]));
    }
}
