namespace MLNetLoRA;

/// <summary>What a rescaling does to one weight change, as numbers.</summary>
/// <remarks>Immutable and thread-safe. Norms are of Frobenius.</remarks>
public sealed record RescalingPlan
{
    /// <summary>The matrix's name.</summary>
    public required string Name { get; init; }

    /// <summary>What is rescaled.</summary>
    public required RescalingKind Kind { get; init; }

    /// <summary>λ, the factor of the intruders (of their stand-in for <see cref="RescalingKind.Neighbour"/>).</summary>
    public required double Scale { get; init; }

    /// <summary>The singular triples that are multiplied by <see cref="Scale"/>: indices from 0; empty for a uniform control.</summary>
    public required IReadOnlyList<int> Triples { get; init; }

    /// <summary>The factor of the whole change: 1 unless a uniform control shrinks or grows it.</summary>
    public double UniformFactor { get; init; } = 1;

    /// <summary>Whether a uniform control reached 0 and so moves less far than the rescaling that it stands beside.</summary>
    public bool IsClipped { get; init; }

    /// <summary>False for a neighbour control where there is an intruder but no pretrained direction among the leading vectors.</summary>
    public bool IsMeasurable { get; init; } = true;

    /// <summary>‖W′‖ after rescaling.</summary>
    public required double Frobenius { get; init; }

    /// <summary>‖ΔW′‖ after rescaling.</summary>
    public required double DeltaFrobenius { get; init; }

    /// <summary>‖W′ − W‖: how far the tuned weights move.</summary>
    public required double Distance { get; init; }

    /// <summary>Whether the change stays as it is, to the bit.</summary>
    public bool ChangesNothing => UniformFactor == 1 && (Triples.Count == 0 || Scale == 1);

    /// <summary>
    /// Whether a uniform control has to grow the change: with <see cref="RescalingMatch.Norm"/> that happens also where
    /// <see cref="Scale"/> is below 1, and the control then says nothing about shrinking.
    /// </summary>
    public bool NeedsGrowth => UniformFactor > 1;
}
