using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>The uniform control: the changes of all matrices times one factor.</summary>
internal static class UniformShrink
{
    /// <summary>The classifier with its changes shrunk, over the same weights. The caller disposes it.</summary>
    public static TextClassifier Of(TextClassifier classifier, IWeightChanges changes, double factor)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var scaled = new Dictionary<string, Tensor>();
        foreach (var name in changes.Names)
        {
            using var owned = changes.Open(name, CPU);
            scaled.Add(name, owned.Change.IsLowRank ? owned.Change.A! * factor : (owned.Change.Tuned! - owned.Change.Base) * (factor - 1));
        }
        return classifier.Description.Lora is null ? classifier.WithShifts(scaled) : classifier.WithDownFactors(scaled);
    }
}
