namespace MLNetLoRA;

/// <summary>What a balanced repair does to one weight change, as numbers.</summary>
/// <remarks>Immutable and thread-safe. Norms are of Frobenius; effects are root mean squares over the inputs that the moments were collected on.</remarks>
public sealed record BalancePlan
{
    /// <summary>The matrix's name.</summary>
    public required string Name { get; init; }

    /// <summary>μ, the weight of retained inputs against task inputs.</summary>
    public required double Strength { get; init; }

    /// <summary>Whether the change stays as it is, to the bit.</summary>
    public required bool ChangesNothing { get; init; }

    /// <summary>‖W′‖ after the repair.</summary>
    public required double Frobenius { get; init; }

    /// <summary>‖ΔW′‖ after the repair.</summary>
    public required double DeltaFrobenius { get; init; }

    /// <summary>‖W′ − W‖: how far the tuned weights move.</summary>
    public required double Distance { get; init; }

    /// <summary>How far outputs on task inputs move, as a share of what the change did to them: 0 for not at all, 1 for all the way back.</summary>
    public required double TaskShift { get; init; }

    /// <summary>How much of the change's effect on retained inputs is left, as a share: 1 for all of it, 0 for none.</summary>
    public required double RetentionLeft { get; init; }

    /// <summary>What cutting W′ − W to a lower rank lost of it, as a share in Frobenius norm; 0 where nothing was cut.</summary>
    public double TruncationError { get; init; }
}
