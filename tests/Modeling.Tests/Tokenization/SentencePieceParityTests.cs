using Microsoft.ML.Tokenizers;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Ids of SentencePiece 0.1.97 for models that it trained.</summary>
public class SentencePieceParityTests
{
    [Theory]
    [InlineData("unigram/spiece.model")]
    [InlineData("bpe/tokenizer.model")]
    [InlineData("bpe-across/tokenizer.model")]
    public void EncodeRaw_ModelWithoutClass_EqualsSentencePiece(string name)
    {
        var tokenizer = TinyTokenizer.Read(SentencePieceAssets.AsFile(name));
        AssertEqual(name, tokenizer, id => id);
        AssertEqual(name, tokenizer, id => id);     // from the cache
    }

    [Theory]
    [InlineData("XLMRobertaTokenizer")]
    [InlineData("XLMRobertaTokenizerFast")]
    public void EncodeRaw_XlmRoberta_IsOneFurtherAndUnknownIsThree(string tokenizerClass)
    {
        var tokenizer = Read(tokenizerClass);
        AssertEqual(SentencePieceAssets.XlmRoberta, tokenizer, id => id == 0 ? 3 : id + 1);
        Assert.Equal((0, 1, 2, 3, 421, 422), (tokenizer.ClassifyId, tokenizer.PadId, tokenizer.SeparatorId, tokenizer.UnknownId, tokenizer.MaskId, tokenizer.VocabularySize));
    }

    [Fact]
    public void EncodeRaw_Camembert_IsFourFurtherAndUnknownIsThree()
    {
        var tokenizer = Read("CamembertTokenizer");
        AssertEqual(SentencePieceAssets.XlmRoberta, tokenizer, id => id == 0 ? 3 : id + 4);
        Assert.Equal((5, 1, 6, 3, 424), (tokenizer.ClassifyId, tokenizer.PadId, tokenizer.SeparatorId, tokenizer.UnknownId, tokenizer.MaskId));
    }

    [Fact]
    public void Encode_XlmRobertaPair_HasTwoSeparatorsBetween()
    {
        var tokenizer = Read("XLMRobertaTokenizer");
        var (first, second) = (tokenizer.EncodeRaw("hello world"), tokenizer.EncodeRaw("tab"));
        var encoded = tokenizer.Encode("hello world", "tab", 100);
        Assert.Equal([0, .. first, 2, 2, .. second, 2], encoded.Ids);
        Assert.Null(encoded.TypeIds);
        Assert.Equal([0, 2], tokenizer.Encode("", null, 16).Ids);
        Assert.Equal([0, 2, 2, 2], tokenizer.Encode("", "", 16).Ids);
    }

    [Fact]
    public void Encode_SpecialTokensInTheText_AreThoseTokensAndTheMaskTakesSpacesBeforeIt()
    {
        var tokenizer = Read("XLMRobertaTokenizer");
        Assert.Equal([.. tokenizer.EncodeRaw("a"), tokenizer.MaskId, .. tokenizer.EncodeRaw("b"), 2, 3], tokenizer.EncodeRaw("a  <mask> b</s><unk>"));
    }

    [Fact]
    public void Encode_LongText_IsTheBeginningOfTheWhole()
    {
        var tokenizer = Read("XLMRobertaTokenizer");
        var text = string.Join(' ', SentencePieceAssets.Texts);
        var whole = tokenizer.EncodeRaw(text);
        foreach (var room in (int[])[1, 2, 17, 100, 511])
        {
            var encoded = tokenizer.Encode(text, null, room + 2);
            Assert.Equal([0, .. whole.Take(room), 2], encoded.Ids);
            Assert.True(encoded.WasTruncated);
        }
    }

    [Fact]
    public void EncodeRaw_FromManyThreads_EqualsOneThread()
    {
        var (shared, alone) = (Read("XLMRobertaTokenizer"), Read("XLMRobertaTokenizer"));
        string[] texts = [.. Enumerable.Repeat(SentencePieceAssets.Texts, 5).SelectMany(all => all)];
        var expected = texts.Select(alone.EncodeRaw).ToArray();
        var actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, row => actual[row] = shared.EncodeRaw(texts[row]));
        Assert.Equal(expected, actual);
    }

    [Theory]
    [InlineData(SentencePieceAssets.XlmRoberta, "XLMRobertaTokenizer")]
    [InlineData("unigram/spiece.model", null)]
    [InlineData("bpe/tokenizer.model", null)]
    public void Files_WrittenToAFolder_MakeTheSameTokenizerAgain(string name, string? tokenizerClass)
    {
        TokenizerFile[] files = tokenizerClass is null ? [SentencePieceAssets.AsFile(name)] : [SentencePieceAssets.AsFile(name), SentencePieceAssets.Class(tokenizerClass)];
        var tokenizer = TinyTokenizer.Read(files);
        using var folder = new TemporaryFolder();
        foreach (var file in tokenizer.Files) File.WriteAllBytes(Path.Combine(folder.FullName, file.Name), file.Content.ToArray());
        var again = TextTokenizer.FromFolder(folder.FullName);
        Assert.Contains(tokenizer.Files, file => file.Name == Path.GetFileName(name));
        Assert.All(SentencePieceAssets.Texts, text => Assert.Equal(tokenizer.EncodeRaw(text), again.EncodeRaw(text)));
    }

    [Fact]
    public void StartsWord_TellsBeginningsFromContinuations()
    {
        var tokenizer = Read("XLMRobertaTokenizer");
        var ids = tokenizer.EncodeRaw("hello world");
        Assert.Equal(2, ids.Count(tokenizer.StartsWord));
        Assert.True(tokenizer.StartsWord(ids[0]));
        Assert.Equal("hello world", tokenizer.Decode(ids));
    }

    /// <summary>Why the models are ours: the day this fails, Microsoft.ML.Tokenizers gives SentencePiece's ids, and its model may take over.</summary>
    [Theory]
    [InlineData(SentencePieceAssets.XlmRoberta)]
    [InlineData("bpe/tokenizer.model")]
    public void SentencePieceTokenizer_OfMicrosoft_GivesOtherIds(string name)
    {
        var theirs = SentencePieceTokenizer.Create(new MemoryStream(SentencePieceAssets.Read(name)), false, false, null);
        Assert.Contains(Cases(name), one => !theirs.EncodeToIds(one.Text).SequenceEqual(one.Ids));
    }

    private static TextTokenizer Read(string tokenizerClass) =>
        TinyTokenizer.Read(SentencePieceAssets.AsFile(SentencePieceAssets.XlmRoberta), SentencePieceAssets.Class(tokenizerClass));

    private static void AssertEqual(string name, TextTokenizer tokenizer, Func<int, int> number) =>
        Assert.All(Cases(name), one => Assert.Equal(one.Ids.Select(number), tokenizer.EncodeRaw(one.Text)));

    private static List<(string Text, int[] Ids)> Cases(string name)
    {
        var cases = SentencePieceAssets.Texts.Zip(SentencePieceAssets.Json("ids.json")[name]!.AsArray(), (text, ids) => (text, SentencePieceAssets.Ids(ids!)))
            .Where(one => !SentencePieceAssets.HasSpecialToken(one.text)).ToList();
        Assert.Equal(91, cases.Count);
        return cases;
    }
}
