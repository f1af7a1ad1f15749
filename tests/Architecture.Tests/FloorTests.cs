using System.Reflection;
using System.Runtime.InteropServices;
using System.Xml.Linq;

namespace MLNetLoRA.Architecture.Tests;

public class FloorTests
{
    public static TheoryData<string> ExistingFloors => [.. Repository.FloorProjects.Keys.Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(ExistingFloors))]
    public void ProjectReferences_EveryFloor_PointDown(string name)
    {
        var references = Items(name, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path));

        Assert.Empty(Rules(name).Violations(references));
    }

    [Theory]
    [MemberData(nameof(ExistingFloors))]
    public void PackageReferences_EveryFloor_AreTheFloorsOwn(string name) =>
        Assert.Empty(Rules(name).Violations(Items(name, "PackageReference")));

    /// <summary>What the compiled code really uses: a project file may get a reference through another one.</summary>
    [Theory]
    [MemberData(nameof(ExistingFloors))]
    public void AssemblyReferences_EveryFloor_PointDown(string name)
    {
        var references = Assembly.Load($"MLNetLoRA.{name}").GetReferencedAssemblies().Select(reference => reference.Name!).Where(IsNoPartOfTheRuntime);

        Assert.Empty(Rules(name).Violations(references));
    }

    [Theory]
    [InlineData("Spectral", "MLNetLoRA.Modeling")]
    [InlineData("Spectral", "Microsoft.ML.Core")]
    [InlineData("Modeling", "MLNetLoRA.Trainers")]
    [InlineData("Modeling", "Microsoft.ML")]
    [InlineData("Modeling", "Microsoft.ML.Data")]
    [InlineData("Trainers", "MLNetLoRA.Transforms")]
    [InlineData("Transforms", "MLNetLoRA.Evaluation")]
    [InlineData("Evaluation", "MLNetLoRA.Cli")]
    [InlineData("Evaluation", "Spectre.Console")]
    public void Violations_WrongEdge_IsNamed(string floor, string reference) =>
        Assert.Equal([reference], Rules(floor).Violations([reference]));

    [Theory]
    [InlineData("Modeling", "Microsoft.ML.Tokenizers")]
    [InlineData("Trainers", "MLNetLoRA.Modeling")]
    [InlineData("Trainers", "Microsoft.ML.Data")]
    [InlineData("Cli", "MLNetLoRA.Trainers")]
    public void Violations_AllowedEdge_IsEmpty(string floor, string reference) => Assert.Empty(Rules(floor).Violations([reference]));

    [Fact]
    public void Floors_InOrder_UseOnlyThoseBefore()
    {
        for (var floor = 0; floor < Floor.All.Count; floor++)
            Assert.Subset(Floor.All.Take(floor).Select(below => below.Name).ToHashSet(), Floor.All[floor].Below.ToHashSet());
    }

    /// <summary>Its trainers are what this library stands beside, not on; it also brings a TorchSharp of its own.</summary>
    [Fact]
    public void MicrosoftMLTorchSharp_AnyProject_IsNotReferenced()
    {
        string[] projects = ["*.csproj", "*.props", "*.targets"];
        var naming = projects
            .SelectMany(pattern => Directory.EnumerateFiles(Repository.Root, pattern, new EnumerationOptions { RecurseSubdirectories = true }))
            .Where(path => !Path.GetRelativePath(Repository.Root, path).Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj", "artifacts"]).Any())
            .Where(path => XDocument.Load(path).Descendants().Attributes("Include").Any(include => include.Value == "Microsoft.ML.TorchSharp"));

        Assert.Empty(naming);
    }

    private static Floor Rules(string name) =>
        Floor.All.SingleOrDefault(floor => floor.Name == name)
            ?? throw new ArgumentException($"src/{name} is no floor of the house; say in Floor.All what it may use.");

    private static IEnumerable<string> Items(string floor, string kind) =>
        Repository.FloorProjects[floor].Descendants(kind).Select(item => item.Attribute("Include")!.Value);

    private static bool IsNoPartOfTheRuntime(string assembly) =>
        !File.Exists(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), assembly + ".dll"));
}
