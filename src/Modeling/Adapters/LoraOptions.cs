namespace MLNetLoRA;

/// <summary>How strongly and where a low-rank adapter may change a model.</summary>
/// <remarks>Immutable and thread-safe. Source: arXiv 2106.09685.</remarks>
public sealed record LoraOptions
{
    /// <summary>The name in <see cref="TargetModules"/> that stands for every linear map of the layers.</summary>
    public const string AllLinear = "all-linear";

    private const double LargestAlpha = 1_000_000;

    /// <summary>Inner dimension of A and B; parameters grow linearly with it.</summary>
    /// <value>1 to the smaller side of every targeted matrix; default 8. Values from 4 to 64 are usual.</value>
    public int Rank { get; init; } = 8;

    /// <summary>The correction is multiplied by Alpha / Rank: a larger value lets the adapter speak louder.</summary>
    /// <value>Above 0 to 1,000,000; null, the default, means 2 · <see cref="Rank"/>, as in the paper whose findings this library reproduces.</value>
    public double? Alpha { get; init; }

    /// <summary>Share of the adapter's inputs that is dropped at random during training.</summary>
    /// <value>0 to below 1; default 0.</value>
    public double Dropout { get; init; }

    /// <summary>The linear maps that get an adapter, named as the checkpoint names them.</summary>
    /// <value>
    /// "all-linear" (default: every linear map of the layers, never the embeddings or a head), or any of query, key, value,
    /// attention.output.dense, intermediate.dense, output.dense; for DistilBERT of q_lin, k_lin, v_lin, out_lin, lin1, lin2; for decoders of
    /// q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.
    /// </value>
    public IReadOnlyList<string> TargetModules { get; init; } = [AllLinear];

    /// <summary>How A begins.</summary>
    /// <value>Default <see cref="LoraInitialization.KaimingUniform"/>.</value>
    public LoraInitialization Initialization { get; init; }

    /// <summary>Whether A stays as it was drawn and only B is trained: half the trainable numbers, and A's directions are not the task's.</summary>
    /// <value>Default false. Source: arXiv 2308.03303.</value>
    public bool FreezesA { get; init; }

    /// <summary><see cref="Alpha"/>, or its default 2 · <see cref="Rank"/>.</summary>
    public double EffectiveAlpha => Alpha ?? 2.0 * Rank;

    /// <summary>The factor in front of BA: <see cref="EffectiveAlpha"/> / <see cref="Rank"/>.</summary>
    public double Scaling => EffectiveAlpha / Rank;

    /// <summary>Whether the slot named <paramref name="target"/> gets an adapter.</summary>
    public bool Targets(string target) => TargetModules.Contains(AllLinear) || TargetModules.Contains(target);

    /// <summary>Everything that is wrong with these options for a model with these slots, each as one sentence; empty when all is well.</summary>
    public IEnumerable<string> Faults(IReadOnlyList<ProjectionShape> slots)
    {
        if (Rank < 1)
            yield return $"Lora.Rank is {Rank}; use 1 or more (usual: 4 to 64).";
        if (EffectiveAlpha is not (> 0 and <= LargestAlpha) && Rank >= 1)
            yield return $"Lora.Alpha is {EffectiveAlpha}; use a value above 0, at most {LargestAlpha:N0} (default: twice the rank).";
        if (Dropout is not (>= 0 and < 1))
            yield return $"Lora.Dropout is {Dropout}; use a share from 0 to below 1.";
        if (!Enum.IsDefined(Initialization))
            yield return $"Lora.Initialization is {Initialization}; use one of: {string.Join(", ", Enum.GetNames<LoraInitialization>())}.";
        if (TargetModules.Count == 0)
            yield return $"Lora.TargetModules is empty; name at least one of: {Names(slots)}, or {AllLinear}.";
        foreach (var name in TargetModules.Where(name => name != AllLinear && slots.All(slot => slot.Target != name)))
            yield return $"TargetModules '{name}' matches no projection. This model has: {Names(slots)}.";
        if (slots.Where(slot => Targets(slot.Target)).MinBy(slot => slot.MaxRank) is { } narrowest && Rank > narrowest.MaxRank)
            yield return $"Lora.Rank is {Rank}; '{narrowest.Target}' is {narrowest.Outputs} by {narrowest.Inputs}, so use {narrowest.MaxRank} or less.";
    }

    private static string Names(IReadOnlyList<ProjectionShape> slots) => string.Join(", ", slots.Select(slot => slot.Target));
}
