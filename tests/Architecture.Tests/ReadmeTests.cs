using System.Text.RegularExpressions;

namespace MLNetLoRA.Architecture.Tests;

public partial class ReadmeTests
{
    private const string Snippets = "tests/Architecture.Tests/ReadmeSnippets.cs";

    [Fact]
    public void CSharp_EveryBlock_IsACompiledSnippet()
    {
        var snippets = Regions(Repository.Read(Snippets));
        var usings = Repository.Read(Snippets).Split('\n').Where(IsUsing).ToHashSet();

        foreach (var block in CSharpBlocks(Repository.Read("README.md")))
        {
            Assert.Subset(usings, block.Split('\n').Where(IsUsing).ToHashSet());
            Assert.Contains(WithoutUsings(block), snippets);
        }
    }

    [Fact]
    public void Snippets_EveryOne_IsInTheReadme()
    {
        var blocks = CSharpBlocks(Repository.Read("README.md")).Select(WithoutUsings).ToList();

        Assert.All(Regions(Repository.Read(Snippets)), snippet => Assert.Contains(snippet, blocks));
    }

    [Fact]
    public void Commands_OfTheReadme_AreTheOnesThatAreChecked()
    {
        var readme = Repository.Read("README.md");

        Assert.Contains("dotnet run --project samples/QuickStart -c Release", readme);
        Assert.Contains("dotnet test -c Release", readme);
        Assert.Contains("dotnet test -c Release", Repository.Read(".ci/run"));
    }

    [Fact]
    public void Links_OfEveryPage_LeadSomewhere()
    {
        var broken =
            from page in Repository.TrackedFiles().Where(name => name.EndsWith(".md", StringComparison.Ordinal))
            from Match link in RelativeLink().Matches(Repository.Read(page))
            let target = Path.Combine(Path.GetDirectoryName(Repository.PathOf(page))!, link.Groups[1].Value)
            where !Path.Exists(target)
            select $"{page}: {link.Groups[1].Value}";

        Assert.Empty(broken);
    }

    [Fact]
    public void CSharpBlocks_TextWithTwo_FindsBothAndNoOther() =>
        Assert.Equal(["using A;\nB();", "C();"], CSharpBlocks("```csharp\nusing A;\nB();\n```\n```sh\nls\n```\n```csharp\nC();\n```\n"));

    [Fact]
    public void Regions_IndentedCode_LosesItsIndentOnly() =>
        Assert.Equal(["a\n\n    b"], Regions("    #region README: x\n    a\n\n        b\n    #endregion\n"));

    private static IEnumerable<string> CSharpBlocks(string markdown) =>
        CSharpBlock().Matches(markdown).Select(match => match.Groups[1].Value.TrimEnd('\n'));

    private static IReadOnlyList<string> Regions(string source) =>
        [.. Region().Matches(source).Select(match => WithoutIndent(match.Groups["code"].Value, match.Groups["indent"].Length))];

    private static string WithoutIndent(string code, int indent) =>
        string.Join('\n', code.TrimEnd('\n').Split('\n').Select(line => line.Length == 0 ? line : line[indent..]));

    private static bool IsUsing(string line) => UsingDirective().IsMatch(line);

    private static string WithoutUsings(string block) => string.Join('\n', block.Split('\n').Where(line => !IsUsing(line))).Trim('\n');

    [GeneratedRegex(@"^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"^(?<indent> *)#region README: [^\n]+\n(?<code>.*?)^ *#endregion", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Region();

    [GeneratedRegex(@"^using [\w.]+;$")]
    private static partial Regex UsingDirective();

    [GeneratedRegex(@"\]\((?![a-z]+:|#)([^)#\s]+)")]
    private static partial Regex RelativeLink();
}
