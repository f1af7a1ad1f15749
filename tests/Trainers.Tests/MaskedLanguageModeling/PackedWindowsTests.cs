using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

public class PackedWindowsTests
{
    private static readonly TextTokenizer Tokenizer = CapitalTask.Base.Tokenizer;

    [Fact]
    public void From_AnyText_KeepsEveryTokenOnceAndInOrder()
    {
        var random = new Random(1);
        string[] paragraphs = [.. Enumerable.Range(0, 60).Select(n => n % 7 == 6 ? "" : new string((char)('a' + n % 26), random.Next(1, 40)))];

        var windows = PackedWindows.From(paragraphs, Tokenizer, maxTokens: 16);

        Assert.All(windows, window =>
        {
            Assert.InRange(window.Ids.Length, 3, 16);
            Assert.Equal(Tokenizer.ClassifyId, window.Ids[0]);
            Assert.Equal(Tokenizer.SeparatorId, window.Ids[^1]);
            Assert.False(window.WasTruncated);
        });
        Assert.Equal(
            paragraphs.SelectMany(Tokenizer.EncodeRaw),
            windows.SelectMany(window => window.Ids).Where(id => !Tokenizer.IsSpecial(id)));
    }

    [Fact]
    public void From_ParagraphsOfOneDocument_FillWindowsWithASeparatorBetween()
    {
        var windows = PackedWindows.From(["aaaa", "bbbb", "cccc"], Tokenizer, maxTokens: 12);

        Assert.Equal(["aaaa|bbbb|", "cccc"], windows.Select(Spell));
    }

    [Fact]
    public void From_EndOfADocument_ClosesAWindowThatIsMoreThanHalfFull()
    {
        Assert.Equal(["aaaaaa", "bbb"], PackedWindows.From(["aaaaaa", "", "bbb"], Tokenizer, maxTokens: 12).Select(Spell));
        Assert.Equal(["aaaaa|bbb"], PackedWindows.From(["aaaaa", "", "bbb"], Tokenizer, maxTokens: 12).Select(Spell));
    }

    [Fact]
    public void From_NothingToGuess_GivesNoWindow()
    {
        Assert.Empty(PackedWindows.From([], Tokenizer, 16));
        Assert.Empty(PackedWindows.From(["", "", ""], Tokenizer, 16));
        Assert.Empty(PackedWindows.From(["</s>", "<pad><pad>"], Tokenizer, 16));
    }

    [Fact(Timeout = 30_000)]
    public async Task From_ABookInOneParagraph_IsPackedInLinearTime()
    {
        var windows = await Task.Run(() => PackedWindows.From([new string('x', 4_000_000)], Tokenizer, maxTokens: 10), TestContext.Current.CancellationToken);

        Assert.Equal(500_000, windows.Count);
    }

    private static string Spell(EncodedText window) =>
        string.Concat(window.Ids[1..^1].Select(id => id == Tokenizer.SeparatorId ? "|" : Tokenizer.Decode([id])));
}
