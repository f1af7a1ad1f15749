using MLNetLoRA.Modeling;

namespace MLNetLoRA.Transforms;

/// <summary>Which of a model's matrices TargetModules names.</summary>
internal sealed class TargetedMatrices(EncoderConfig config, IReadOnlyList<string> targetModules)
{
    private readonly LoraOptions _targets = new() { TargetModules = targetModules };
    private readonly Dictionary<string, ProjectionShape> _matrices = SequenceClassifier.Matrices(config).ToDictionary();

    /// <summary>Names that match no projection, each as one sentence.</summary>
    public IEnumerable<string> Faults()
    {
        var known = _matrices.Values.Select(shape => shape.Target).Distinct().ToList();
        return targetModules.Where(name => name != LoraOptions.AllLinear && !known.Contains(name))
            .Select(name => $"TargetModules '{name}' matches no projection. This model has: {string.Join(", ", known)}.");
    }

    /// <summary>The fault of naming none of the matrices that were fine-tuned, as one sentence.</summary>
    public string NoneOf(IReadOnlyList<string> tuned) =>
        $"TargetModules names none of the {tuned.Count} matrices that were fine-tuned{(tuned.Count > 0 ? $" ({tuned[0]}, …)" : "")}; use {LoraOptions.AllLinear}.";

    /// <summary>The smallest targeted side among some matrices, with the matrix that has it; null for no matrices.</summary>
    public (string Name, ProjectionShape Shape)? Narrowest(IEnumerable<string> names) =>
        names.Select(name => ((string, ProjectionShape)?)(name, _matrices[name])).MinBy(matrix => matrix!.Value.Item2.MaxRank);

    /// <summary>The size of a matrix.</summary>
    public ProjectionShape ShapeOf(string name) => _matrices[name];

    /// <summary>The targeted ones among some matrices.</summary>
    public IReadOnlyList<string> Of(IEnumerable<string> names) => [.. names.Where(name => _targets.Targets(_matrices[name].Target))];
}
