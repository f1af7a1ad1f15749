using System.Text.Json;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

public class TokenizerAgreementTests
{
    [Fact]
    public void Read_VocabularyFilesOfTheSameTokenizer_AreSilent() =>
        Assert.NotEmpty(TinyTokenizer.Read([.. TinyTokenizer.BytePairFiles(), TinyTokenizer.BytePairJson()]).EncodeRaw("the"));

    [Fact]
    public void Read_VocabularyWithOtherIds_NamesBothFilesAndTheFirstDifferences()
    {
        var vocabulary = TinyTokenizer.BytePairVocabulary();
        (vocabulary["a"], vocabulary["b"]) = (vocabulary["b"], vocabulary["a"]);
        vocabulary.Remove("Ġthe");
        AssertDisagree("vocab.json", $"'b' has id {vocabulary["a"]} here and {vocabulary["b"]} there; 'a' has id {vocabulary["b"]} here and {vocabulary["a"]} there; "
            + "'Ġthe' is only here", TinyTokenizer.BytePairFiles(vocabulary: JsonSerializer.Serialize(vocabulary))[0], TinyTokenizer.BytePairJson());
    }

    [Fact]
    public void Read_OtherMerges_NamesBothFilesAndTheFirst() => AssertDisagree(
        "merges.txt", "merge 2 is 'h e' here and 'i n' there", TinyTokenizer.Text("merges.txt", "Ġ t\ni n\n"), TinyTokenizer.BytePairJson());

    [Fact]
    public void Read_VocabularyOfAnotherKind_NamesBothFiles() =>
        AssertDisagree("vocab.txt", "'[PAD]' is only there, with id 0", TinyTokenizer.WordPieceFiles(null, "a")[0], TinyTokenizer.BytePairJson());

    [Fact]
    public void Read_SentencePieceModelOfAnotherTokenizer_NamesBothFiles() => AssertDisagree(
        "spiece.model", "is only there, as piece", SentencePieceAssets.AsFile("unigram/spiece.model"), SentencePieceAssets.AsFile("xlm-roberta/tokenizer.json"));

    [Fact]
    public void Read_PieceMoved_NamesBothFilesAndThePiece()
    {
        var root = SentencePieceAssets.Json("xlm-roberta/tokenizer.json");
        var vocabulary = root["model"]!["vocab"]!.AsArray();
        var (tenth, eleventh) = (vocabulary[10]!.DeepClone(), vocabulary[11]!.DeepClone());
        (vocabulary[10], vocabulary[11]) = (eleventh, tenth);
        AssertDisagree("sentencepiece.bpe.model", $"'{(string)tenth[0]!}' has id 11 here and 10 there",
            SentencePieceAssets.AsFile(SentencePieceAssets.XlmRoberta), TinyTokenizer.Text("tokenizer.json", root.ToJsonString()));
    }

    [Fact]
    public void Read_VocabularyThatCannotBeRead_NamesBothFiles() =>
        AssertDisagree("vocab.txt", "repair or remove", new TokenizerFile("vocab.txt", new byte[] { 0xFF }), TinyTokenizer.BytePairJson());

    [Fact]
    public void Read_TwoSentencePieceModels_AreOneOrRefused()
    {
        var model = SentencePieceAssets.AsFile("unigram/spiece.model");
        Assert.NotEmpty(TinyTokenizer.Read(model, model with { Name = "tokenizer.model" }).EncodeRaw("a"));
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(model, SentencePieceAssets.AsFile("bpe/tokenizer.model")));
        Assert.Contains("spiece.model", error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.model", error.Message, StringComparison.Ordinal);
    }

    private static void AssertDisagree(string other, string difference, params TokenizerFile[] files)
    {
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(files));
        Assert.All(["tiny/tokenizer.json", $"tiny/{other}", difference], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }
}
