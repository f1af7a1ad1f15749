using System.Buffers.Binary;
using System.Text;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

/// <summary>Files that are not what they say, each refused by the reason; and random ones, which never do anything else.</summary>
public class SentencePieceFileTests
{
    [Theory]
    [InlineData(new byte[0], "it has no pieces")]
    [InlineData(new byte[] { 0x0A }, "cut off")]                                        // a length is missing
    [InlineData(new byte[] { 0x0A, 0x05, 1 }, "a field of 5 bytes where 1 are left")]
    [InlineData(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 }, "a field of 18446744073709551615 bytes")]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }, "a number of more than 10 bytes")]
    [InlineData(new byte[] { 0x02, 0 }, "field number 0")]
    [InlineData(new byte[] { 0x0B }, "wire type 3")]
    [InlineData(new byte[] { 0x08, 0 }, "field 1 stored as Varint instead of Bytes")]
    public void Read_BrokenProtobuf_SaysWhatIsWrong(byte[] content, string reason) => AssertRefused(content, reason);

    [Fact]
    public void Read_PiecesThatNoModelHas_AreRefused()
    {
        byte[] unknown = Piece("<unk>", 0, 2);
        AssertRefused([.. unknown, .. Piece("a", float.NaN, 1)], "piece 1 ('a') has score NaN");
        AssertRefused([.. unknown, .. Piece("a", float.NegativeInfinity, 1)], "scores are finite");
        AssertRefused([.. unknown, .. Piece("a", -1, 1), .. Piece("a", -2, 1)], "pieces 1 and 2 are both 'a'");
        AssertRefused([.. unknown, .. Piece("", -1, 1)], "piece 1 has 0 characters");
        AssertRefused([.. unknown, .. Piece(new string('a', 2000), -1, 1)], "piece 1 has 2000 characters");
        AssertRefused([.. unknown, .. Piece("a", -1, 7)], "piece 1 ('a') is of kind 7");
        AssertRefused([.. unknown, .. Piece("b", 0, 2)], "pieces 0 and 1 are both for the unknown");
        AssertRefused(Piece("a", -1, 1), "no piece is for the unknown");
        AssertRefused([.. unknown, .. Piece("<0x41>", -1, 6)], "byte_fallback is off");
        AssertRefused([.. unknown, .. Message(2, [0x98, 0x02, 1])], "256 of the 256 byte pieces are missing");
        AssertRefused([.. unknown, .. Piece("<0x4>", -1, 6), .. Message(2, [0x98, 0x02, 1])], "bytes are <0x00> to <0xFF>");
        AssertRefused([0x0A, 3, 0x0A, 1, 0xFF], "piece 0 is not UTF-8 text");
    }

    [Fact]
    public void Read_PartsNotSupported_AreNamed()
    {
        AssertRefused(Message(2, [0x18, 3]), "model_type 'WORD'");
        AssertRefused(Message(2, [0x18, 4]), "model_type 'CHAR'");
        AssertRefused(Message(2, [0x18, 9]), "model_type '9'");
        AssertRefused(Message(2, [0xC0, 0x01, 1]), "treat_whitespace_as_suffix 'true'");
        AssertRefused(Message(3, [0x28, 0]), "escape_whitespaces 'false'");
    }

    [Theory]
    [InlineData(new byte[] { 1, 2, 3 }, "it has 3 bytes")]
    [InlineData(new byte[] { 8, 0, 0, 0, 1, 2, 3, 4 }, "its trie has 8 bytes where 4 are left")]
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 2, 3, 4 }, "its trie has 0 bytes")]
    [InlineData(new byte[] { 4, 0, 0, 0, 0, 0xFC, 0xFF, 0xFF }, "its trie leads to unit")]
    public void Read_DamagedCharacterMap_SaysWhatIsWrong(byte[] map, string reason) =>
        AssertRefused(Message(3, Message(2, map)), $"precompiled_charsmap is damaged: {reason}");

    [Fact]
    public void Read_ModelWithoutRolesOrClass_AsksForThem()
    {
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(SentencePieceAssets.AsFile(SentencePieceAssets.XlmRoberta)));
        Assert.Contains("special tokens <pad>, <mask> have no id", error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer_class", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ModelOfAnotherClass_IsRefused()
    {
        var renumbered = Assert.Throws<InvalidDataException>(() =>
            TinyTokenizer.Read(SentencePieceAssets.AsFile("unigram/spiece.model"), SentencePieceAssets.Class("XLMRobertaTokenizer")));
        Assert.Contains("it has a piece '<pad>'", renumbered.Message, StringComparison.Ordinal);
        var unsupported = Assert.Throws<InvalidDataException>(() =>
            TinyTokenizer.Read(SentencePieceAssets.AsFile("unigram/spiece.model"), SentencePieceAssets.Class("T5Tokenizer")));
        Assert.Contains("tokenizer_class 'T5Tokenizer' is not supported", unsupported.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unigram/spiece.model")]
    [InlineData("bpe/tokenizer.model")]
    [InlineData(SentencePieceAssets.XlmRoberta)]
    public void Read_MutatedFiles_AreReadOrRefusedAndNothingElse(string name)
    {
        var whole = SentencePieceAssets.Read(name);
        var random = new Random(17);
        var refused = 0;
        for (var round = 0; round < 400; round++)
        {
            byte[] mutated = round % 4 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (var change = random.Next(1, 6); change > 0 && round % 4 != 0; change--) mutated[random.Next(mutated.Length)] = (byte)random.Next(256);
            if (!CanRead(new TokenizerFile(Path.GetFileName(name), mutated))) refused++;
        }
        Assert.InRange(refused, 100, 400);
    }

    [Fact]
    public void Read_RandomBytes_AreRefused()
    {
        var random = new Random(23);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = new byte[random.Next(0, 60)];
            random.NextBytes(bytes);
            if (round % 2 == 0 && bytes.Length > 2) (bytes[0], bytes[1]) = (0x0A, (byte)(bytes.Length - 2));
            Assert.False(CanRead(new TokenizerFile("spiece.model", bytes)));
        }
    }

    [Theory]
    [InlineData("unigram/spiece.model")]
    [InlineData("bpe/tokenizer.model")]
    [InlineData("bpe-across/tokenizer.model")]
    public void EncodeRaw_RandomTexts_GivesIdsInRangeThatSpellTheNormalizedText(string name)
    {
        var tokenizer = TinyTokenizer.Read(SentencePieceAssets.AsFile(name));
        var normalizer = SentencePieceFile.Read(SentencePieceAssets.Read(name), text => new InvalidDataException(text)).Normalizer();
        var hasPrefix = name != "unigram/spiece.model";
        var random = new Random(29);
        for (var round = 0; round < 2000; round++)
        {
            var text = RandomText(random);
            var ids = tokenizer.EncodeRaw(text);
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
            if (ids.Contains(tokenizer.UnknownId)) continue;
            var normalized = normalizer.Normalize(text).Replace('▁', ' ');
            Assert.Equal(hasPrefix && normalized.Length > 0 ? normalized[1..] : normalized, tokenizer.Decode(ids, keepSpecial: true));
        }
    }

    private static bool CanRead(TokenizerFile file)
    {
        try
        {
            TokenizerFile[] config = file.Name == Path.GetFileName(SentencePieceAssets.XlmRoberta) ? [SentencePieceAssets.Class("XLMRobertaTokenizer")] : [];
            var tokenizer = TinyTokenizer.Read([file, .. config]);
            foreach (var text in SentencePieceAssets.Texts) Assert.All(tokenizer.EncodeRaw(text), id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static string RandomText(Random random)
    {
        string[] alphabet = ["a", "b", "the", " the", "ing", " ", "  ", "\t", "\n", "\u00A0", "\0", "\u0007", "'s", ".", "1", "½", "é", "e\u0301", "ß", "你", "م", "😀", "👩‍👧", "𝔘", "\uFFFD", "\uFEFF", "▁", "ﷺ", "qzx", "foo", "ﾊﾟ"];
        return string.Concat(Enumerable.Range(0, random.Next(0, 30)).Select(_ => alphabet[random.Next(alphabet.Length)]));
    }

    private static void AssertRefused(byte[] content, string reason)
    {
        var error = Assert.Throws<InvalidDataException>(() => TinyTokenizer.Read(new TokenizerFile("spiece.model", content)));
        Assert.Contains("tiny/spiece.model", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private static byte[] Piece(string text, float score, byte kind)
    {
        var bytes = new byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, score);
        return Message(1, [.. Message(1, Encoding.UTF8.GetBytes(text)), 0x15, .. bytes, 0x18, kind]);
    }

    private static byte[] Message(int field, byte[] content) =>
        content.Length < 128
            ? [(byte)((field << 3) | 2), (byte)content.Length, .. content]
            : [(byte)((field << 3) | 2), (byte)(content.Length | 0x80), (byte)(content.Length >> 7), .. content];
}
