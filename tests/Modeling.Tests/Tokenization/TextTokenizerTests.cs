using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests.Tokenization;

public class TextTokenizerTests
{
    private static readonly TextTokenizer BytePairs = TinyTokenizer.Read(TinyTokenizer.BytePairFiles());
    private static readonly TextTokenizer Words = TinyTokenizer.Read(TinyTokenizer.WordPieceFiles(null, "a", "b", "the", "##s", "cat", "."));

    [Fact]
    public void Encode_EmptyText_IsTheSpecialTokens()
    {
        Assert.Equal([BytePairs.ClassifyId, BytePairs.SeparatorId], BytePairs.Encode("", null, 16).Ids);
        Assert.Equal([Words.ClassifyId, Words.SeparatorId, Words.SeparatorId], Words.Encode("", "", 16).Ids);
        Assert.Empty(BytePairs.EncodeRaw(""));
    }

    [Fact]
    public void Encode_WhiteSpaceAlone_IsKeptByBytesAndVanishesInWordPiece()
    {
        Assert.Equal("  ", BytePairs.Decode(BytePairs.EncodeRaw("  ")));
        Assert.Empty(Words.EncodeRaw(" \t\n"));
    }

    [Fact]
    public void Encode_InvalidSurrogates_AreReadAsReplacementCharacters()
    {
        Assert.Equal(BytePairs.EncodeRaw("a\uFFFDb\uFFFD"), BytePairs.EncodeRaw("a\uD83Db\uDE00"));
        Assert.Equal(Words.EncodeRaw("ab"), Words.EncodeRaw("a\uD83Db"));   // BERT drops U+FFFD
    }

    [Fact]
    public void Encode_SpecialTokensInTheText_AreThoseTokens()
    {
        // RoBERTa's mask swallows the white space before it, BERT's words have none.
        Assert.Equal([.. BytePairs.EncodeRaw("a"), BytePairs.MaskId, .. BytePairs.EncodeRaw(" b")], BytePairs.EncodeRaw("a  <mask> b"));
        Assert.Equal([.. BytePairs.EncodeRaw("a "), BytePairs.SeparatorId], BytePairs.EncodeRaw("a </s>"));
        Assert.Equal([.. Words.EncodeRaw("a"), Words.MaskId, .. Words.EncodeRaw("b")], Words.EncodeRaw("a [MASK]b"));
        Assert.DoesNotContain(Words.MaskId, Words.EncodeRaw("[mask]"));
    }

    [Theory]
    [InlineData(null, 2)]
    [InlineData("b", 4)]
    public void Encode_NoRoomForText_SaysHowManyTokensAreNeeded(string? second, int tooFew)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => BytePairs.Encode("a", second, tooFew));
        Assert.Contains($"use {tooFew + 1} or more", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => BytePairs.Encode("a", second, int.MinValue));
        Assert.Equal(tooFew + 1, BytePairs.Encode("aaa", second, tooFew + 1).Ids.Length);
    }

    [Theory]
    [InlineData("aaa", "bbb", 8, "aa", "bb")]      // 4 left
    [InlineData("aaa", "bbb", 9, "aaa", "bb")]     // 5 left: of two equally long texts the second gives first
    [InlineData("a", "bbbbbb", 8, "a", "bbb")]
    [InlineData("aaaaaa", "b", 8, "aaa", "b")]
    [InlineData("aaaaaa", "", 8, "aaaa", "")]
    public void Encode_LongPair_CutsTheLongerTextFirst(string first, string second, int maxTokens, string firstKept, string secondKept)
    {
        var encoded = BytePairs.Encode(first, second, maxTokens);
        Assert.Equal(BytePairs.Encode(firstKept, secondKept, 100).Ids, encoded.Ids);
        Assert.True(encoded.WasTruncated);
        Assert.False(BytePairs.Encode(firstKept, secondKept, maxTokens).WasTruncated);
    }

    [Fact]
    public void Encode_RandomTexts_IsACutOfTheWholeRowAndNeverTooLong()
    {
        var random = new Random(7);
        for (var round = 0; round < 500; round++)
        {
            var (tokenizer, first, second) = (round % 2 == 0 ? BytePairs : Words, RandomText(random), RandomText(random));
            var (firstIds, secondIds) = (tokenizer.EncodeRaw(first), tokenizer.EncodeRaw(second));
            var maxTokens = random.Next(5, 40);
            var special = tokenizer.UsesTokenTypes ? 3 : 4;

            var pair = tokenizer.Encode(first, second, maxTokens);
            var single = tokenizer.Encode(first, null, maxTokens);

            Assert.Equal(Math.Min(maxTokens, firstIds.Length + secondIds.Length + special), pair.Ids.Length);
            Assert.Equal(firstIds.Length + secondIds.Length + special > maxTokens, pair.WasTruncated);
            Assert.Equal([tokenizer.ClassifyId, .. firstIds.Take(maxTokens - 2), tokenizer.SeparatorId], single.Ids);
            Assert.Equal(tokenizer.UsesTokenTypes ? pair.Ids.Length : null, pair.TypeIds?.Length);
        }
    }

    [Fact]
    public void Decode_OfByteLevelIds_IsTheText()
    {
        var random = new Random(11);
        for (var round = 0; round < 2000; round++)
        {
            var text = RandomText(random);
            Assert.Equal(text, BytePairs.Decode(BytePairs.EncodeRaw(text)));
            Assert.Equal(text, BytePairs.Decode(BytePairs.Encode(text, null, 10_000).Ids));
        }
    }

    [Fact]
    public void Decode_WordPieces_JoinsContinuationsAndSpacesWords()
    {
        Assert.Equal("the cats .", Words.Decode(Words.Encode("The cats.", null, 16).Ids));
        Assert.Equal("\uFFFD", Words.Decode([9_999]));
        Assert.Equal("[MASK]", Words.Decode([Words.MaskId], keepSpecial: true));
    }

    [Fact]
    public void StartsWord_TellsBeginningsFromContinuations()
    {
        Assert.Equal([true, false], BytePairs.EncodeRaw(" thes").Select(BytePairs.StartsWord));
        Assert.Equal([true, false, true], Words.EncodeRaw("cats.").Select(Words.StartsWord));
        Assert.True(BytePairs.StartsWord(BytePairs.MaskId));
        Assert.False(BytePairs.StartsWord(-1));
        Assert.False(BytePairs.StartsWord(BytePairs.VocabularySize));
    }

    [Fact]
    public void IsSpecial_IsTrueOfSpecialTokensAlone()
    {
        var special = Enumerable.Range(-1, BytePairs.VocabularySize + 2).Where(BytePairs.IsSpecial);
        int[] wanted = [BytePairs.PadId, BytePairs.UnknownId, BytePairs.ClassifyId, BytePairs.SeparatorId, BytePairs.MaskId];
        Assert.Equal(wanted.Order(), special);
    }

    [Theory]
    [InlineData("roberta-bpe")]
    [InlineData("bert-wordpiece")]
    public void Encode_FromManyThreads_EqualsOneThread(string name)
    {
        var folder = SharedData.Path("tokenizer-parity", name);
        var random = new Random(3);
        var texts = Enumerable.Range(0, 2000).Select(_ => $"{RandomText(random)} word{random.Next(500)} {RandomText(random)}").ToArray();
        var alone = TextTokenizer.FromFolder(folder);
        var expected = texts.Select(text => alone.Encode(text, null, 32).Ids).ToArray();

        var shared = TextTokenizer.FromFolder(folder);
        var actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, row => actual[row] = shared.Encode(texts[row], null, 32).Ids);

        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Encode_OneEndlessWord_IsMergedInBlocksWithoutLoss()
    {
        var text = string.Concat(Enumerable.Repeat("the", 50_000));
        Assert.Equal(text, BytePairs.Decode(BytePairs.EncodeRaw(text)));
        Assert.Equal(64, BytePairs.Encode(text, text, 64).Ids.Length);
    }

    /// <summary>Valid Unicode of every kind, special tokens' text excluded by its alphabet.</summary>
    private static string RandomText(Random random)
    {
        string[] alphabet = ["a", "b", "the", " the", "ing", " ", "  ", "\t", "\n", "\u00A0", "\0", "\u0007", "'s", "'", ".", "1", "½", "é", "e\u0301", "ß", "你", "م", "😀", "👩‍👧", "𝔘", "\uFFFD", "\uFEFF", "\u2028"];
        return string.Concat(Enumerable.Range(0, random.Next(0, 30)).Select(_ => alphabet[random.Next(alphabet.Length)]));
    }
}
