using MLNetLoRA.Cli.Input;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Input;

public sealed class ParagraphsTests : IDisposable
{
    private const int MiB = 1 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_Lines_AreTrimmedAndBlankOnesEndDocuments() =>
        Assert.Equal(["one", "two", "", "three"], Paragraphs.Read(_folder.Write("t.txt", "\uFEFF one\r\ntwo\r\n \t\r\nthree"), null, null));

    [Theory]
    [InlineData("a\nb", 2)]
    [InlineData("a\nb\n", 2)]
    [InlineData("a\nb\n\n", 3)]
    [InlineData("\na", 2)]
    public void Read_EndOfTheFile_EndsTheLastLineOnce(string text, int lines) =>
        Assert.Equal(lines, Paragraphs.Read(_folder.Write("t.txt", text), null, null).Count);

    [Fact]
    public void Read_Limit_CountsLines()
    {
        var path = _folder.Write("t.txt", $"{string.Concat(Enumerable.Repeat("word ", 300_000))}\nsecond\nthird");

        Assert.Equal("second", Paragraphs.Read(path, null, null, limit: 2)[^1]);
        Assert.DoesNotContain("second", Paragraphs.Read(path, null, null, limit: 1));
    }

    [Fact]
    public void Read_Limit_StopsBeforeLaterFaults()
    {
        File.WriteAllBytes(_folder.File("t.txt"), [.. "one\ntwo\n"u8, 0xFF]);

        Assert.Equal(["one", "two"], Paragraphs.Read(_folder.File("t.txt"), null, null, limit: 2));
    }

    [Fact]
    public void Read_OneEnormousLine_IsCutAtWhiteSpaceAndNothingIsLost()
    {
        var line = string.Concat(Enumerable.Range(0, 600_000).Select(n => $"wörd{n} "));
        var path = _folder.Write("t.txt", line + "\n\nend");

        var paragraphs = Paragraphs.Read(path, null, null);

        Assert.Equal(["", "end"], paragraphs.TakeLast(2));
        Assert.InRange(paragraphs.Count, 8, 20);
        Assert.All(paragraphs.SkipLast(2), part => Assert.InRange(part.Length, 1, MiB));
        Assert.Equal(line.TrimEnd(), string.Join(' ', paragraphs.SkipLast(2)));
    }

    [Fact]
    public void Read_OneEnormousWord_IsCutBetweenCharacters()
    {
        var word = string.Concat(Enumerable.Repeat("€𝔘é", 600_000));        // 3 + 4 + 2 bytes each

        Assert.Equal(word, string.Concat(Paragraphs.Read(_folder.Write("t.txt", word), null, null)));
    }

    [Fact]
    public void NextPart_OfAnEnormousLine_NeedsAFewPartsOfMemory()
    {
        const int Size = 64 * MiB, Part = 1 << 16;
        using (var stream = File.Create(_folder.File("t.txt")))
        {
            var blanks = new byte[MiB];
            Array.Fill(blanks, (byte)'x');
            for (var n = 0; n < Size / MiB; n++) stream.Write(blanks);
        }
        using var lines = TextLines.Open(_folder.File("t.txt"));
        long read = 0, peak = 0, before = GC.GetTotalMemory(forceFullCollection: true);

        while (lines.NextPart(Part) is { } part)
        {
            read += part.Length;
            if (read % (8 * MiB) < Part) peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        Assert.Equal(Size, read);
        Assert.Equal(1, lines.Number);
        Assert.InRange(peak, 0, 8 * MiB);
    }

    [Fact]
    public void Read_NotUtf8_NamesLineByteAndOffset()
    {
        File.WriteAllBytes(_folder.File("t.txt"), [.. "fine\nstill fine\ncaf"u8, 0xE9, .. " au lait\n"u8]);

        var error = Assert.Throws<BadInputException>(() => Paragraphs.Read(_folder.File("t.txt"), null, null));

        Assert.Equal($"{_folder.File("t.txt")}: line 3 is not valid UTF-8: byte 0xE9 at offset 19 of the file begins no character; convert the file to UTF-8.", error.Message);
    }

    [Fact]
    public void Read_NotUtf8InALongLine_NamesTheOffsetInTheFile()
    {
        File.WriteAllBytes(_folder.File("t.txt"), [.. "first\n"u8, .. Enumerable.Repeat((byte)'x', 3 * MiB), 0xFF, (byte)'\n']);

        var error = Assert.Throws<BadInputException>(() => Paragraphs.Read(_folder.File("t.txt"), null, null));

        Assert.Contains($"line 2 is not valid UTF-8: byte 0xFF at offset {6 + 3 * MiB} of the file", error.Message);
    }

    [Fact]
    public void Read_Utf16_SaysToConvert()
    {
        File.WriteAllText(_folder.File("t.txt"), "text", System.Text.Encoding.BigEndianUnicode);

        Assert.Contains("holds a NUL character", Assert.Throws<BadInputException>(() => Paragraphs.Read(_folder.File("t.txt"), null, null)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n \n\t\n")]
    public void Read_NoText_SaysSo(string text)
    {
        var error = Assert.Throws<BadInputException>(() => Paragraphs.Read(_folder.Write("t.txt", text), null, null));
        Assert.EndsWith("there is no text, only blank lines.", error.Message);
    }
}
