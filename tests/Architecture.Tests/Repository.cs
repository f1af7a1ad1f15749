using System.Diagnostics;
using System.Xml.Linq;

namespace MLNetLoRA.Architecture.Tests;

/// <summary>The repository this test was built from, as files.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The floors that exist: folders of src with a project file, by folder name.</summary>
    public static IReadOnlyDictionary<string, XDocument> FloorProjects { get; } =
        Directory.GetFiles(PathOf("src"), "*.csproj", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetFileName(Path.GetDirectoryName(path)!), XDocument.Load);

    /// <summary>Source files below a folder of the repository, without what a build made there.</summary>
    public static IEnumerable<string> SourceFiles(string folder) =>
        Directory.EnumerateFiles(PathOf(folder), "*.cs", SearchOption.AllDirectories)
            .Where(path => !Path.GetRelativePath(Root, path).Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj"]).Any());

    public static string PathOf(string relativePath) => Path.Combine(Root, relativePath);

    public static string Read(string relativePath) => File.ReadAllText(PathOf(relativePath));

    /// <summary>Paths of all tracked files, relative to the root; the calling test is skipped where there is no git.</summary>
    public static IReadOnlyList<string> TrackedFiles()
    {
        Assert.SkipUnless(Path.Exists(PathOf(".git")), "This is no git checkout, so no file is tracked.");
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files", "-z"]) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        var names = git.StandardOutput.ReadToEnd().Split('\0', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return [.. names.Where(name => File.Exists(PathOf(name)))];
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MLNetLoRA.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException($"No MLNetLoRA.sln above {AppContext.BaseDirectory}.");
        return folder.FullName;
    }
}
