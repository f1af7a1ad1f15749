namespace MLNetLoRA.Modeling.Tests.Tokenization;

public class WordPieceModelTests
{
    [Fact]
    public void Encode_LowerCasing_FollowsDoLowerCase()
    {
        Assert.Equal(["cat"], Tokens(null, "CAT", "cat", "CAT"));
        Assert.Equal(["CAT"], Tokens(new { do_lower_case = false }, "CAT", "cat", "CAT"));
    }

    [Fact]
    public void Encode_Accents_FollowLowerCasingUnlessStripAccentsSaysOtherwise()
    {
        Assert.Equal(["cafe"], Tokens(null, "Café", "cafe", "café"));
        Assert.Equal(["café"], Tokens(new { strip_accents = false }, "Café", "cafe", "café"));
        Assert.Equal(["Café"], Tokens(new { do_lower_case = false }, "Café", "Cafe", "Café"));
        Assert.Equal(["Cafe"], Tokens(new { do_lower_case = false, strip_accents = true }, "Café", "Cafe", "Café"));
    }

    [Fact]
    public void Encode_Ideographs_AreWordsUnlessSwitchedOff()
    {
        Assert.Equal(["世", "界"], Tokens(null, "世界", "世", "界", "世界"));
        Assert.Equal(["世界"], Tokens(new { tokenize_chinese_chars = false }, "世界", "世", "界", "世界"));
    }

    [Fact]
    public void Encode_ControlCharacters_VanishAndOtherWhiteSpaceSeparates() =>
        Assert.Equal(["ab", "a", "b", "a", "b"], Tokens(null, "a\0\u0007\u200B\uFEFFb a\u00A0b\ta\u2028b", "a", "b", "ab"));

    [Fact]
    public void Encode_PunctuationOfAsciiAndUnicode_StandsAlone() =>
        Assert.Equal(["a", "$", "a", "—", "a"], Tokens(null, "a$a—a", "a", "##a", "$", "—", "##$", "##—"));

    [Fact]
    public void Encode_WordWithoutTokens_IsOneUnknown() => Assert.Equal(["[UNK]", "a"], Tokens(null, "ax a", "a"));

    [Theory]
    [InlineData("a", 100, 100)]
    [InlineData("a", 101, 1)]
    [InlineData("😀", 100, 100)]   // characters, not UTF-16 units
    [InlineData("😀", 101, 1)]
    public void Encode_LongWord_IsUnknownAboveAHundredCharacters(string character, int count, int tokens)
    {
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(null, character, "##" + character));
        var ids = tokenizer.EncodeRaw(string.Concat(Enumerable.Repeat(character, count)));
        Assert.Equal(tokens, ids.Length);
        Assert.Equal(tokens == 1, ids[0] == tokenizer.UnknownId);
    }

    [Fact]
    public void Encode_TokenAddedByTheUser_IsMatchedAfterLowerCasing()
    {
        TokenizerFile[] files = [.. TinyTokenizer.WordPieceFiles(null, "a"), TinyTokenizer.Text("added_tokens.json", """{"NewWord": 6}""")];
        var tokenizer = TinyTokenizer.Read(files);
        Assert.Equal([5, 6, 5], tokenizer.EncodeRaw("A newWORD a"));
        Assert.Equal(7, tokenizer.VocabularySize);
        Assert.False(tokenizer.IsSpecial(6));
    }

    [Fact]
    public void Read_TokenTwiceInVocabulary_HasItsLastId() => Assert.Equal([7], TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(null, "a", "b", "a")).EncodeRaw("a"));

    [Theory]
    [InlineData("BertTokenizerFast", true)]
    [InlineData("ElectraTokenizer", true)]
    [InlineData("ElectraTokenizerFast", true)]
    [InlineData("DistilBertTokenizer", false)]
    [InlineData("DistilBertTokenizerFast", false)]
    public void Read_ClassesLikeBert_GiveItsIdsAndDistilBertNoTypes(string tokenizerClass, bool hasTypes)
    {
        var bert = TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(new { tokenizer_class = "BertTokenizer" }, "a", "b"));
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(new { tokenizer_class = tokenizerClass }, "a", "b"));
        Assert.Equal(bert.Encode("A b", "b", 16).Ids, tokenizer.Encode("A b", "b", 16).Ids);
        Assert.Equal(hasTypes, tokenizer.UsesTokenTypes);
        Assert.Equal(hasTypes, tokenizer.Encode("A b", "b", 16).TypeIds is not null);
    }

    private static string[] Tokens(object? config, string text, params string[] vocabulary)
    {
        var tokenizer = TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(config, vocabulary));
        return [.. tokenizer.EncodeRaw(text).Select(id => tokenizer.Decode([id], keepSpecial: true))];
    }
}
