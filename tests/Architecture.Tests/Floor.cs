namespace MLNetLoRA.Architecture.Tests;

/// <summary>One floor of the house and what it stands on.</summary>
/// <param name="Name">Its folder in src; its assembly is MLNetLoRA.Name.</param>
/// <param name="Below">The floors it may use.</param>
/// <param name="Libraries">Packages it may use, each with the assemblies whose names it begins.</param>
internal sealed record Floor(string Name, string[] Below, string[] Libraries)
{
    private const string Prefix = "MLNetLoRA.";

    /// <summary>The six floors, lowest first. Nothing points up; one that does not exist yet is here all the same.</summary>
    public static IReadOnlyList<Floor> All { get; } =
    [
        new("Spectral", [], ["TorchSharp", "MathNet.Numerics"]),
        new("Modeling", ["Spectral"], ["TorchSharp", "Microsoft.ML.Tokenizers"]),
        new("Trainers", ["Spectral", "Modeling"], ["TorchSharp", "Microsoft.ML"]),
        new("Transforms", ["Spectral", "Modeling", "Trainers"], ["TorchSharp", "Microsoft.ML"]),
        new("Evaluation", ["Spectral", "Modeling", "Trainers", "Transforms"],
            ["TorchSharp", "Microsoft.ML", "MathNet.Numerics", "OxyPlot"]),
        new("Cli", ["Spectral", "Modeling", "Trainers", "Transforms", "Evaluation"],
            ["TorchSharp", "Microsoft.ML", "Spectre.Console", "System.CommandLine"]),
    ];

    /// <summary>Those of the given assemblies, projects or packages that this floor may not use.</summary>
    public IEnumerable<string> Violations(IEnumerable<string> references) => references.Where(reference => !MayUse(reference));

    private bool MayUse(string reference) =>
        reference.StartsWith(Prefix, StringComparison.Ordinal)
            ? Below.Contains(reference[Prefix.Length..])
            : Libraries.Any(library => reference == library || reference.StartsWith(library + ".", StringComparison.Ordinal));
}
