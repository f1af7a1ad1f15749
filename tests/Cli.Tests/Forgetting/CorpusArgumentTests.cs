using MLNetLoRA.Cli.Forgetting;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Forgetting;

public sealed class CorpusArgumentTests
{
    [Theory]
    [InlineData("text/wiki.txt", "wiki", "text/wiki.txt", null)]
    [InlineData("news=a.txt", "news", "a.txt", null)]
    [InlineData("news=a.txt:0.25", "news", "a.txt", 0.25)]
    [InlineData("a.txt:1e-1", "a", "a.txt", 0.1)]
    [InlineData("C:\\texts\\a", null, "C:\\texts\\a", null)]
    [InlineData("C:\\texts\\a:0.5", null, "C:\\texts\\a", 0.5)]
    [InlineData("a=b=c.txt", "a", "b=c.txt", null)]
    public void Parse_Forms_AreTakenApart(string typed, string? name, string path, double? weight)
    {
        var argument = CorpusArgument.Parse(typed);

        Assert.Equal((path, weight), (argument.Path, argument.Weight));
        if (name is not null) Assert.Equal(name, argument.Name);
    }

    [Fact]
    public void Parse_FileThatIsCalledSo_IsThatFile()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("mix=a:0.5", "text");

        Assert.Equal(new CorpusArgument("mix=a:0", path, null), CorpusArgument.Parse(path));
        Assert.Equal(new CorpusArgument("named", path, null), CorpusArgument.Parse($"named={path}"));
    }

    [Theory]
    [InlineData("", "the file is missing")]
    [InlineData("news=", "the file is missing")]
    [InlineData(" =a.txt", "the name before '=' is empty")]
    [InlineData(":0.5", "the file is missing")]
    public void Parse_Incomplete_SaysWhatToWrite(string typed, string expected)
    {
        var message = Assert.Throws<BadInputException>(() => CorpusArgument.Parse(typed)).Message;

        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("[NAME=]FILE[:WEIGHT]", message, StringComparison.Ordinal);
    }
}
