using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Moments;

public sealed class MomentRowsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TextTokenizer _tokenizer;          // one token a byte

    public MomentRowsTests()
    {
        TinyModel.WriteTokenizer(_folder.FullName);
        _tokenizer = TextTokenizer.FromFolder(_folder.FullName);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Sample_MoreTokensThanAsked_TakesWholeRowsUpToThem()
    {
        var rows = Enumerable.Range(0, 20).Select(n => Row(5 + (n % 3))).ToList();

        var sample = MomentRows.Sample(rows, maxTokens: 40, seed: 3);

        Assert.InRange(sample.Sum(row => row.Ids.Length), 40 - 7 + 1, 40);
        Assert.Equal(sample.Count, sample.Distinct().Count());
        Assert.All(sample, row => Assert.Contains(row, rows));
        Assert.Equal(sample, MomentRows.Sample(rows, 40, seed: 3));
        Assert.NotEqual(sample, MomentRows.Sample(rows, 40, seed: 4));
    }

    [Fact]
    public void Sample_ARowLongerThanAsked_IsTakenAlone() => Assert.Single(MomentRows.Sample([Row(9), Row(9)], maxTokens: 1, seed: 0));

    [Fact]
    public void SampleMasked_ALongText_BecomesWindowsWithAShareHidden()
    {
        var text = string.Concat(Enumerable.Range(0, 100).Select(n => (char)('a' + (n % 26))));

        var windows = MomentRows.SampleMasked([text], _tokenizer, windowTokens: 22, maxTokens: 1000, seed: 1);

        Assert.Equal(5, windows.Count);                                                     // of 20 tokens of text each
        Assert.All(windows, window =>
        {
            Assert.Equal((_tokenizer.ClassifyId, _tokenizer.SeparatorId, 22), (window.Ids[0], window.Ids[^1], window.Ids.Length));
            Assert.Equal(3, window.Ids.Count(id => id == _tokenizer.MaskId));               // 15 % of 20
        });
        var original = _tokenizer.EncodeRaw(text);
        var read = windows.SelectMany(window => window.Ids[1..^1]).ToList();
        Assert.All(read.Zip(original), pair => Assert.True(pair.First == pair.Second || pair.First == _tokenizer.MaskId));
    }

    [Fact]
    public void SampleMasked_Seed_DrawsTextsAndHiddenTokens()
    {
        string[] texts = [.. Enumerable.Range(0, 50).Select(n => $"text number {n}")];
        List<int> Ids(int seed) => [.. MomentRows.SampleMasked(texts, _tokenizer, 32, 200, seed).SelectMany(window => window.Ids)];

        Assert.Equal(Ids(1), Ids(1));
        Assert.NotEqual(Ids(1), Ids(2));
        Assert.InRange(Ids(1).Count, 150, 200);
    }

    [Fact]
    public void SampleMasked_TextsOfLessThanTwoTokens_GiveNone()
    {
        Assert.Empty(MomentRows.SampleMasked(["", "a"], _tokenizer, 32, 100, 0));
        Assert.Single(MomentRows.SampleMasked(["", "ab"], _tokenizer, 32, 100, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => MomentRows.SampleMasked(["ab"], _tokenizer, 3, 100, 0));
    }

    [Fact]
    public void SampleMasked_WindowsOfTwoCorpora_SharesTheTokensByWeight()
    {
        var (letters, digits) = (Enumerable.Repeat("abcdefgh", 40).ToArray(), Enumerable.Repeat("12345678", 40).ToArray());
        var windows = RetentionWindows.Tokenize([new("letters", letters, 0.75), new("digits", digits, 0.25)], _tokenizer, 16);

        var rows = MomentRows.SampleMasked(windows, _tokenizer, maxTokens: 200, seed: 2);

        // 150 and 50 tokens, in windows of 8 and two special ones.
        Assert.Equal((15, 5), (rows.Count(row => _tokenizer.Decode(row.Ids).Any(char.IsAsciiLetter)), rows.Count(row => _tokenizer.Decode(row.Ids).Any(char.IsAsciiDigit))));
        Assert.All(rows, row => Assert.Equal((10, 1), (row.Ids.Length, row.Ids.Count(id => id == _tokenizer.MaskId))));        // 15 % of 8
    }

    private static EncodedText Row(int tokens) => new([.. Enumerable.Range(10, tokens)], null, WasTruncated: false);
}
