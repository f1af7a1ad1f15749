using System.Text.RegularExpressions;

namespace MLNetLoRA.Architecture.Tests;

public partial class RepositoryTextTests
{
    // Text of others, kept as it is.
    private static readonly string[] Data = ["samples/data/", "src/Modeling/Pretrained/mini-encoder/"];
    private static readonly string[] TextExtensions =
        [".cs", ".csproj", ".props", ".targets", ".sln", ".md", ".sh", ".json", ".txt", ".tsv", ".yml", ".py", ".editorconfig", ".gitattributes", ".gitignore", ""];

    [Fact]
    public void Text_OfTrackedFiles_NamesNoMachine() => Assert.Empty(Matches(MachinePath(), TrackedText()));

    [Fact]
    public void Text_OfTrackedSources_LeavesNothingForLater() =>
        Assert.Empty(Matches(UnfinishedWork(), TrackedText().Where(name => name.EndsWith(".cs", StringComparison.Ordinal))));

    [Fact]
    public void FileNames_OfSources_SayWhatIsInThem() =>
        Assert.DoesNotContain(Repository.SourceFiles("src"), path => VagueName().IsMatch(Path.GetFileNameWithoutExtension(path)));

    [Theory]
    [InlineData("see /wo" + "rk/main/README.md", true)]
    [InlineData("\"/ro" + "ot/.nuget\"", true)]
    [InlineData("C:" + @"\Users\me\model", true)]
    [InlineData("https://example.org/net" + "work/main", false)]
    [InlineData("/usr/share/wordnet", false)]
    public void MachinePath_Text_IsFoundOrNot(string text, bool isFound) => Assert.Equal(isFound, MachinePath().IsMatch(text));

    [Theory]
    [InlineData("StringUtils", true)]
    [InlineData("TensorHelper", true)]
    [InlineData("Common", true)]
    [InlineData("Base", true)]
    [InlineData("BaseStorage", false)]      // the base model is the field's own term
    [InlineData("CommonPrefix", false)]
    public void VagueName_FileName_IsFoundOrNot(string name, bool isFound) => Assert.Equal(isFound, VagueName().IsMatch(name));

    private static IEnumerable<string> TrackedText() =>
        Repository.TrackedFiles()
            .Where(name => TextExtensions.Contains(Path.GetExtension(name)))
            .Where(name => !Data.Any(folder => name.StartsWith(folder, StringComparison.Ordinal)));

    private static IEnumerable<string> Matches(Regex pattern, IEnumerable<string> names) =>
        from name in names
        from line in File.ReadLines(Repository.PathOf(name)).Index()
        let match = pattern.Match(line.Item)
        where match.Success
        select $"{name}:{line.Index + 1}: {match.Value}";

    // One letter in brackets: a pattern must not find itself.
    [GeneratedRegex(@"(?<![\w.])/(work|root|farm)(/|\b(?=['""\s]))|[A-Z]:\\Users\\|/tmp/bash[_]jobs|[.]library/")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"\b(TO[D]O|FIX[M]E|NotImplemented[E]xception)\b")]
    private static partial Regex UnfinishedWork();

    [GeneratedRegex(@"^(Common|Base)$|(Util|Utils|Utilities|Helper|Helpers)$")]
    private static partial Regex VagueName();
}
