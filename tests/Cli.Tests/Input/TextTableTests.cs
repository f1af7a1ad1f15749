using MLNetLoRA.Cli.Input;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Input;

public class TextTableTests
{
    [Fact]
    public void Read_QuotedCsv_GivesDelimitersQuotesAndLineBreaksBack()
    {
        var table = Read("t.csv", "\uFEFFid,Label,Text\r\n1,\"a,b\",\"say \"\"hi\"\"\r\nthere\"\r\n2,,\"\"\r\n3,c,plain");

        Assert.Equal(["a,b", "say \"hi\"\r\nthere"], table.Rows[0].Fields);
        Assert.Equal(["", ""], table.Rows[1].Fields);
        Assert.Equal(["c", "plain"], table.Rows[2].Fields);
        Assert.Equal([2, 4, 5], table.Rows.Select(row => row.Line));
    }

    [Fact]
    public void Read_Tsv_TakesQuotesAsTheyStand()
    {
        var table = Read("t.tsv", "Label\tText\r\n\"a\tsay \"hi\", Bob\r\n");

        Assert.Equal(["\"a", "say \"hi\", Bob"], table.Rows.Single().Fields);
    }

    [Fact]
    public void Read_Limit_StopsBeforeLaterFaults() =>
        Assert.Equal(2, Read("t.tsv", "Label\tText\na\tx\nb\ty\nbroken\n", limit: 2).Rows.Count);

    [Fact]
    public void Read_NamedDelimiter_WinsOverTheExtension() =>
        Assert.Equal(["a", "x;y"], Read("t.txt", "Label;Text\na;\"x;y\"\n", delimiter: ';').Rows.Single().Fields);

    [Theory]
    [InlineData("t.tsv", "", "the file is empty")]
    [InlineData("t.tsv", "Label\tText\n", "there are no rows after the header line")]
    [InlineData("t.tsv", "Label\tBody\na\tx\n", "there is no column 'Text'; the header has 'Label', 'Body'.")]
    [InlineData("t.tsv", "Label\tText\tText\na\tx\ty\n", "two columns are called 'Text'")]
    [InlineData("t.tsv", "Label\tText\na\tx\nb\ty\tz\n", "line 3 has 3 fields, the header has 2.")]
    [InlineData("t.tsv", "Label\tText\na\tx\n\nb\ty\n", "line 3 has 1 field, the header has 2.")]
    [InlineData("t.tsv", "Label\tText\na\tx\0\n", "line 2 holds a NUL character")]
    [InlineData("t.csv", "Label,Text\na,\"x\nb,y\n", "line 2 has a quoted field that never ends.")]
    [InlineData("t.csv", "Label,Text\na,5\" disk\n", "line 2 has a quote inside an unquoted field")]
    [InlineData("t.csv", "Label,Text\na,\"x\"y\n", "line 2 has text after a closing quote")]
    [InlineData("t.txt", "Label,Text\na,x\n", "the extension '.txt' does not tell what separates the columns")]
    public void Read_BrokenFile_NamesFileLineAndFault(string name, string content, string expected)
    {
        var error = Assert.Throws<BadInputException>(() => Read(name, content));

        Assert.Contains(name, error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public void Read_InvalidUtf8_NamesTheLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("t.tsv"), [.. "Label\tText\na\tx\nb\t"u8, 0xC3, 0x28, (byte)'\n']);

        var error = Assert.Throws<BadInputException>(() => TextTable.Read(folder.File("t.tsv"), null, Columns));

        Assert.Contains("line 3 is not valid UTF-8", error.Message);
    }

    [Fact]
    public void Read_LinesAcrossBuffers_AreWhole()
    {
        var texts = Enumerable.Range(0, 50).Select(n => new string((char)('a' + n % 26), 5000) + "é").ToArray();

        var table = Read("t.tsv", "Label\tText\n" + string.Concat(texts.Select(text => $"x\t{text}\n")));

        Assert.Equal(texts, table.Rows.Select(row => row.Fields[1]));
    }

    private static TextTable Read(string name, string content, char? delimiter = null, int? limit = null)
    {
        using var folder = new TemporaryFolder();
        return TextTable.Read(folder.Write(name, content), delimiter, Columns, limit);
    }

    private static IReadOnlyList<string> Columns(IReadOnlyList<string> header) => ["Label", "Text"];
}
