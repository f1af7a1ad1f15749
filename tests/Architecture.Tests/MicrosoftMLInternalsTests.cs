using System.Reflection;
using System.Text.RegularExpressions;

namespace MLNetLoRA.Architecture.Tests;

/// <summary>ML.NET's internals change without notice: the code that needs them stays where a new version is met first.</summary>
public partial class MicrosoftMLInternalsTests
{
    private const string Folder = "src/Trainers/MicrosoftML/";

    // What ML.NET creates or calls itself, and what speaks with its model files, its log and its cancellation on their behalf.
    private static readonly string[] Entrances =
    [
        "Trainer.cs", "Estimator.cs", "Transformer.cs", "Catalog.cs", "/ClassifierFile.cs", "/RescalingFile.cs", "/BalanceFile.cs", "/CorrectionsEntry.cs",
        "/FitObserver.cs", "/RowReader.cs",
    ];

    private static readonly Dictionary<string, string> Files = FindFiles();

    [Fact]
    public void Internals_OfMicrosoftML_AreUsedAtTheEntrancesOnly()
    {
        var elsewhere =
            from type in Libraries.All.SelectMany(assembly => assembly.GetTypes())
            from member in HiddenMicrosoftML(type)
            let file = SourceFile(type)
            where !file.StartsWith(Folder, StringComparison.Ordinal) && !Entrances.Any(end => file.EndsWith(end, StringComparison.Ordinal))
            select $"{file}: {member.DeclaringType?.Name}.{member.Name}";

        Assert.Empty(elsewhere.Distinct().Order(StringComparer.Ordinal));
    }

    /// <summary>Without this the test above could pass because it sees nothing.</summary>
    [Fact]
    public void Internals_OfMicrosoftML_AreSeenInTheirFolder() =>
        Assert.Contains(
            Libraries.All.SelectMany(assembly => assembly.GetTypes()).Where(type => HiddenMicrosoftML(type).Any()),
            type => SourceFile(type).StartsWith(Folder, StringComparison.Ordinal));

    private static IEnumerable<MemberInfo> HiddenMicrosoftML(Type type) =>
        UsedMembers.Of(type).Where(member => IsMicrosoftML(member) && UsedMembers.IsHidden(member));

    private static bool IsMicrosoftML(MemberInfo member) =>
        member.Module.Assembly.GetName().Name is "Microsoft.ML" or "Microsoft.ML.Core" or "Microsoft.ML.Data";

    /// <summary>Where the type, or the one it is nested in, is declared.</summary>
    private static string SourceFile(Type type)
    {
        while (type.DeclaringType is { } outer) type = outer;
        return Files.GetValueOrDefault(type.Name.Split('`')[0], type.FullName!);
    }

    private static Dictionary<string, string> FindFiles()
    {
        var files = new Dictionary<string, string>();
        foreach (var path in Repository.SourceFiles("src"))
        {
            foreach (Match declaration in Declaration().Matches(File.ReadAllText(path)))
                files.TryAdd(declaration.Groups[1].Value, Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'));
        }
        return files;
    }

    [GeneratedRegex(@"^[a-z ]*\b(?:class|record|struct|interface|enum) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
