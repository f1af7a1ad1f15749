namespace MLNetLoRA.Modeling.Tests.Tokenization;

public class ByteLevelBpeTests
{
    [Theory]
    [InlineData("the the", "the| the")]
    [InlineData("a  the", "a| | the")]
    [InlineData("ing\n", "ing|\n")]
    [InlineData("it's", "i|t|'|s")]
    [InlineData("he'the", "he|'|t|he")]            // 't is a contraction wherever it stands, so no 'the' here
    public void Encode_Text_IsCutAsGpt2CutsIt(string text, string tokens)
    {
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.BytePairFiles());
        Assert.Equal(tokens.Split('|'), tokenizer.EncodeRaw(text).Select(id => tokenizer.Decode([id])));
    }

    [Fact]
    public void Encode_LettersBeyondTheBasicPlane_AreLetters()
    {
        // 𝔘 and ! merge only inside one word: to .NET's \p{L} the letter is two symbols, which would stand with the punctuation.
        var bytes = System.Text.Encoding.UTF8.GetBytes("𝔘");
        var last = TinyTokenizer.ByteAlphabet[bytes[^1]];
        var vocabulary = TinyTokenizer.BytePairVocabulary();
        vocabulary[last + "!"] = vocabulary.Count;
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.BytePairFiles(
            vocabulary: System.Text.Json.JsonSerializer.Serialize(vocabulary), merges: $"{last} !"));

        Assert.Equal(5, tokenizer.EncodeRaw("𝔘!").Length);
    }

    [Fact]
    public void Encode_AddPrefixSpace_GivesTheFirstWordASpace()
    {
        var plain = TinyTokenizer.Read(TinyTokenizer.BytePairFiles());
        var prefixed = TinyTokenizer.Read(TinyTokenizer.BytePairFiles(new { add_prefix_space = true }));
        Assert.Equal(plain.EncodeRaw(" the the"), prefixed.EncodeRaw("the the"));
        Assert.Equal(plain.EncodeRaw(" the"), prefixed.EncodeRaw(" the"));
        Assert.Empty(prefixed.EncodeRaw(""));
    }

    [Fact]
    public void Encode_ByteOutsideTheVocabulary_IsUnknown()
    {
        var vocabulary = TinyTokenizer.BytePairVocabulary();
        vocabulary.Remove("z");
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.BytePairFiles(vocabulary: System.Text.Json.JsonSerializer.Serialize(vocabulary)));
        Assert.Equal([vocabulary["a"], tokenizer.UnknownId, vocabulary["b"]], tokenizer.EncodeRaw("azb"));
    }

    [Fact]
    public void MissingByteCount_CountsBytesThatTheVocabularyLacks()
    {
        var vocabulary = TinyTokenizer.BytePairVocabulary();
        Assert.Equal(0, TinyTokenizer.Read(TinyTokenizer.BytePairFiles()).MissingByteCount);

        // The symbols of the bytes '!', 0x00 and 0xFF; all three are in no merge.
        foreach (var symbol in new[] { "!", "\u0100", "\u00FF" }) Assert.True(vocabulary.Remove(symbol));
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.BytePairFiles(vocabulary: System.Text.Json.JsonSerializer.Serialize(vocabulary)));

        Assert.Equal(3, tokenizer.MissingByteCount);
        Assert.Equal(0, TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(null, "word")).MissingByteCount);
    }
}
