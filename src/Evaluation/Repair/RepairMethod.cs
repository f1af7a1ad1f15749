namespace MLNetLoRA;

/// <summary>A way to give a fine-tuned model back some of what it forgot.</summary>
/// <remarks>
/// All but <see cref="Balance"/> are the rescaling by λ of <see cref="RescalingKind"/> of the same name, <see cref="UniformGlobal"/> with
/// <see cref="RescalingMatch.Factor"/>.
/// </remarks>
public enum RepairMethod
{
    /// <summary>The highest-ranked intruder of each matrix times the scale: the paper's intervention.</summary>
    Top,

    /// <summary>Every intruder among the leading singular vectors times the scale.</summary>
    All,

    /// <summary>A control: the pretrained direction next to the top intruder times the scale.</summary>
    Neighbour,

    /// <summary>A control: the whole change of each matrix, moved as far as <see cref="All"/> moves it at the same scale.</summary>
    Uniform,

    /// <summary>The whole change of every matrix times the scale itself, so that 0 gives the base's matrices back.</summary>
    UniformGlobal,

    /// <summary>
    /// BalanceRetention: of each change what the task needs is kept and what disturbs retained text is taken out, in closed form. Its strength μ
    /// takes the scale's place: 0 leaves the model as it is, large values give the base's matrices back.
    /// </summary>
    Balance,
}
