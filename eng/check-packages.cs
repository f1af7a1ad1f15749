// Packs the libraries and the tool, looks into the packages, and fine-tunes a model in a project that has nothing but them.
//
//   dotnet run eng/check-packages.cs -- [PACKAGE_FOLDER]
//
// Run it in the repository's root after a Release build; PACKAGE_FOLDER defaults to artifacts/packages and is emptied first. The
// project is made in a temporary folder and removed. Prints one line a check; the exit code says whether all were met.
#:property PublishAot=false

using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

var folder = Path.GetFullPath(args.Length > 0 ? args[0] : Path.Combine("artifacts", "packages"));
var versions = XDocument.Load("Directory.Packages.props").Descendants("PackageVersion")
    .ToDictionary(package => package.Attribute("Include")!.Value, package => package.Attribute("Version")!.Value);
var version = XDocument.Load("Directory.Build.props").Descendants("Version").Single().Value;
var failures = 0;

if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
Check("packing gives no warning", Run(".", [], "pack", "MLNetLoRA.sln", "-c", "Release", "--no-build", "-v", "q", "-warnaserror", $"-p:PackageOutputPath={folder}"));
if (failures == 0)
{
    foreach (var project in Directory.GetFiles("src", "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal)) CheckContents(project);
    CheckUse();
}
return failures == 0 ? 0 : 1;

void Check(string what, bool isMet)
{
    Console.WriteLine($"{(isMet ? "ok    " : "FAILED")}  {what}");
    if (!isMet) failures++;
}

void CheckContents(string projectPath)
{
    var name = Path.GetFileNameWithoutExtension(projectPath);
    var isTool = XDocument.Load(projectPath).Descendants("PackAsTool").Any();
    using var package = ZipFile.OpenRead(Path.Combine(folder, $"{name}.{version}.nupkg"));
    using var specificationStream = package.GetEntry($"{name}.nuspec")!.Open();
    var specification = XDocument.Load(specificationStream);
    string? Metadata(string element) => specification.Descendants().FirstOrDefault(node => node.Name.LocalName == element)?.Value;
    var dependencies = specification.Descendants().Where(node => node.Name.LocalName == "dependency")
        .ToDictionary(node => node.Attribute("id")!.Value, node => node.Attribute("version")!.Value);

    Check($"{name}: says its licence, what it is, and how to begin",
        Metadata("license") == "MIT" && Metadata("description") is { Length: > 0 } && Metadata("readme") == "README.md" && package.GetEntry("README.md") is not null);
    if (isTool)
    {
        Check($"{name}: is a tool", specification.Descendants().Any(node => node.Attribute("name")?.Value == "DotnetTool"));
        Check($"{name}: holds Microsoft's own ML.NET", package.Entries.Where(entry => entry.Name is "Microsoft.ML.Core.dll" or "Microsoft.ML.Data.dll").All(KeepsInternals));
        return;
    }
    Check($"{name}: holds its own assembly and no other",
        package.Entries.Where(entry => entry.Name.EndsWith(".dll", StringComparison.Ordinal)).Select(entry => entry.Name).SequenceEqual([$"{name}.dll"]));
    Check($"{name}: brings no native library",
        !dependencies.Keys.Any(id => id.StartsWith("libtorch", StringComparison.Ordinal) || id.StartsWith("TorchSharp-", StringComparison.Ordinal)));
    Check($"{name}: depends on TorchSharp {versions["TorchSharp"]}", dependencies.GetValueOrDefault("TorchSharp") == versions["TorchSharp"]);
    if (dependencies.TryGetValue("Microsoft.ML", out var range))
        Check($"{name}: depends on Microsoft.ML from 5.0.1 to below 6", range is "[5.0.1, 6.0.0)" or "[5.0.1, 6)");
}

// The copies that eng/PublicizeMicrosoftML.targets makes for the compiler must not reach anyone.
static bool KeepsInternals(ZipArchiveEntry assembly)
{
    using var stream = assembly.Open();
    using var bytes = new MemoryStream();
    stream.CopyTo(bytes);
    bytes.Position = 0;
    using var file = new PEReader(bytes);
    var metadata = file.GetMetadataReader();
    // The first type is the module itself.
    return metadata.TypeDefinitions.Skip(1).Select(metadata.GetTypeDefinition)
        .Any(type => (type.Attributes & TypeAttributes.VisibilityMask) == TypeAttributes.NotPublic);
}

void CheckUse()
{
    var native = OperatingSystem.IsWindows() ? "libtorch-cpu-win-x64" : OperatingSystem.IsMacOS() ? "libtorch-cpu-osx-arm64" : "libtorch-cpu-linux-x64";
    var restored = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
    var temporary = Directory.CreateTempSubdirectory("mlnetlora-packages-");
    var app = temporary.CreateSubdirectory("app").FullName;
    try
    {
        // Packages that are already restored are used in place; ours go to a folder that is removed with the project.
        File.WriteAllText(Path.Combine(app, "nuget.config"), $"""
            <configuration>
              <packageSources><add key="packed" value="{folder}" /></packageSources>
            </configuration>
            """);
        File.WriteAllText(Path.Combine(app, "App.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestoreFallbackFolders>{restored}</RestoreFallbackFolders>
                <CreateHardLinksForCopyLocalIfPossible>true</CreateHardLinksForCopyLocalIfPossible>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="MLNetLoRA.Trainers" Version="{version}" />
                <PackageReference Include="{native}" Version="{versions[native]}" />
              </ItemGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(app, "Program.cs"), """
            using Microsoft.ML;
            using Microsoft.ML.Data;
            using MLNetLoRA;

            var rows = Enumerable.Range(0, 16).Select(i => i % 2 == 0 ? new Row("a good film", "good") : new Row("a bad film", "bad"));
            var ml = new MLContext(seed: 1);
            var data = ml.Data.LoadFromEnumerable(rows);
            var options = new TextClassificationOptions { Sentence1ColumnName = nameof(Row.Text), MaxEpochs = 1, BatchSize = 8, MaxTokens = 16, Device = "cpu" };
            var model = ml.Transforms.Conversion.MapValueToKey("Label")
                .Append(ml.MulticlassClassification.Trainers.LoraTextClassification(PretrainedModel.MiniEncoder, options))
                .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
                .Fit(data);
            ml.Model.Save(model, data.Schema, "film.mlnet");

            var reloaded = new MLContext().Model.Load("film.mlnet", out _);
            var predicted = reloaded.Transform(data).GetColumn<string>("PredictedLabel").ToList();
            Console.WriteLine($"{predicted.Count(label => label is "good" or "bad")} rows predicted");

            internal sealed record Row(string Text, string Label);
            """);
        var environment = new Dictionary<string, string> { ["NUGET_PACKAGES"] = Path.Combine(temporary.FullName, "packages") };
        var isBuilt = Run(app, environment, "build", "-c", "Release", "-v", "q");
        Check("a project of its own compiles with the packages", isBuilt);
        if (isBuilt) Check("it fine-tunes, saves, reloads and predicts", Run(app, environment, "run", "-c", "Release", "--no-build"));
    }
    finally
    {
        temporary.Delete(recursive: true);
    }
}

// The output is shown when the command fails.
static bool Run(string workingFolder, Dictionary<string, string> environment, params string[] arguments)
{
    var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = workingFolder, RedirectStandardOutput = true };
    foreach (var (name, value) in environment) start.Environment[name] = value;
    using var process = Process.Start(start)!;
    var output = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    if (process.ExitCode != 0) Console.Write(output);
    return process.ExitCode == 0;
}
