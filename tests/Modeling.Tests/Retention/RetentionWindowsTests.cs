using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Retention;

public sealed class RetentionWindowsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TextTokenizer _tokenizer;

    public RetentionWindowsTests()
    {
        TinyModel.WriteTokenizer(_folder.FullName);
        _tokenizer = TextTokenizer.FromFolder(_folder.FullName);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tokenize_ShortText_IsTheRowThatTheTokenizerMakes()
    {
        var corpus = RetentionWindows.Tokenize([new RetentionCorpus("a", ["short text"])], _tokenizer, 16).Corpora[0];

        Assert.Equal(_tokenizer.Encode("short text", null, 16).Ids, corpus.Windows.Single().Ids);
        Assert.Equal((10, 1.0), (corpus.TokenCount, corpus.Weight));        // a byte a token
    }

    [Fact]
    public void Tokenize_LongText_IsCutIntoWindowsOfOneLengthToWithinAToken()
    {
        var text = string.Concat(Enumerable.Range(0, 31).Select(n => (char)('a' + (n % 26))));

        var windows = RetentionWindows.Tokenize([new RetentionCorpus("a", [text])], _tokenizer, 12).Corpora[0].Windows;

        Assert.Equal([9, 10, 10, 10], windows.Select(window => window.Ids.Length).Order());        // 31 letters in 4 windows, two special tokens each
        Assert.All(windows, window => Assert.Equal((_tokenizer.ClassifyId, _tokenizer.SeparatorId), (window.Ids[0], window.Ids[^1])));
        Assert.Equal(text, string.Concat(windows.Select(window => _tokenizer.Decode(window.Ids))));
    }

    [Theory]
    [InlineData(null, null, 0.5)]
    [InlineData(0.25, 0.75, 0.25)]
    [InlineData(0.333, 0.666, 0.333 / 0.999)]
    public void Tokenize_Weights_AreSharesOfTheWhole(double? first, double? second, double expected)
    {
        var corpora = RetentionWindows.Tokenize([new("a", ["text"], first), new("b", ["text"], second)], _tokenizer, 16).Corpora;

        Assert.Equal(expected, corpora[0].Weight, 1e-12);
        Assert.Equal(1, corpora.Sum(corpus => corpus.Weight), 1e-12);
    }

    [Theory]
    [InlineData(-0.5, 1.5, "The weight of 'a' is -0.5; use a share above 0")]
    [InlineData(0.0, 1.0, "The weight of 'a' is 0")]
    [InlineData(double.NaN, 1.0, "The weight of 'a' is NaN")]
    [InlineData(0.7, 0.7, "The weights sum to 1.4; use shares that sum to 1")]
    [InlineData(0.5, null, "1 of 2 corpora have a weight")]
    public void Tokenize_WeightsThatAreNoShares_AreRefused(double? first, double? second, string expected) =>
        AssertRefused(expected, new("a", ["text"], first), new("b", ["text"], second));

    [Fact]
    public void Tokenize_NothingToGuess_IsRefusedWithAllThatIsWrong()
    {
        var message = AssertRefused("The corpus 'empty' holds no text", new("empty", []), new("short", ["fine", "", "x", "<mask><mask><mask>"]));

        Assert.Contains("'short' holds 3 texts (of 4; number 2, 3, 4) of fewer than 2 tokens", message, StringComparison.Ordinal);
        AssertRefused("There is no retention corpus");
        AssertRefused("2 corpora are called 'a'", new("a", ["text"]), new("a", ["text"]));
        AssertRefused("has no name", new RetentionCorpus(" ", ["text"]));
    }

    [Fact]
    public void Halves_OfEachCorpus_AreAlternateWindows()
    {
        var whole = RetentionWindows.Tokenize([new("a", ["one", "second", "three"], 0.25), new("b", ["4444", "five", "six", "sevens"], 0.75)], _tokenizer, 16);

        var (first, second) = whole.Halves(_tokenizer);

        Assert.Equal(["one", "three", "4444", "six"], Texts(first));
        Assert.Equal(["second", "five", "sevens"], Texts(second));
        Assert.Equal([("a", 0.25, 8), ("b", 0.75, 7)], first.Corpora.Select(corpus => (corpus.Name, corpus.Weight, corpus.TokenCount)));        // a byte a token
        Assert.Equal((whole.MaxTokens, whole.TokenCount), (second.MaxTokens, first.TokenCount + second.TokenCount));

        IEnumerable<string> Texts(RetentionWindows windows) => windows.Corpora.SelectMany(corpus => corpus.Windows).Select(window => _tokenizer.Decode(window.Ids));
    }

    [Fact]
    public void Halves_ACorpusOfOneWindow_IsRefused()
    {
        var whole = RetentionWindows.Tokenize([new("long", ["one", "two"]), new("short", ["three"])], _tokenizer, 16);

        var message = Assert.Throws<ArgumentException>(() => whole.Halves(_tokenizer)).Message;

        Assert.Equal("The corpus 'short' is too short to be halved (windows: 1, of up to 16 tokens); give it more text, or take shorter windows.", message);
    }

    private string AssertRefused(string expected, params RetentionCorpus[] corpora)
    {
        var message = Assert.Throws<ArgumentException>(() => RetentionWindows.Tokenize(corpora, _tokenizer, 16)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        return message;
    }
}
