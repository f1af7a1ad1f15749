using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of RescaleIntruderDimensions.</summary>
/// <remarks>Immutable. All faults are reported together when the estimator is created. The defaults are the paper's: arXiv 2410.21228, section 5.</remarks>
public sealed record IntruderOptions
{
    internal const double DefaultScale = 0.7;

    /// <summary>λ, the factor of the intruders: 1 leaves them as they are, 0 removes them, above 1 amplifies them.</summary>
    /// <value>0 or more; null, the default, means 0.7, or with <see cref="ValidationSet"/> what that chooses.</value>
    public double? Scale { get; init; }

    /// <summary>
    /// Rows that choose λ: the smallest of <see cref="ScaleGrid"/> and 1 whose accuracy on them stays within <see cref="AccuracyTolerance"/> of
    /// that at 1.
    /// </summary>
    /// <value>Holds the model's text columns and the label, as a key or raw; null, the default, where <see cref="Scale"/> says it.</value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>The label column of <see cref="ValidationSet"/>.</summary>
    /// <value>Default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>The values of λ that <see cref="ValidationSet"/> chooses from.</summary>
    /// <value>Each 0 or more; default 0, 0.1, … 0.9.</value>
    public IReadOnlyList<double> ScaleGrid { get; init; } = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

    /// <summary>How much accuracy on <see cref="ValidationSet"/> may be lost.</summary>
    /// <value>A share from 0 to 1; default 0.005, half a row in a hundred.</value>
    public double AccuracyTolerance { get; init; } = 0.005;

    /// <summary>What is rescaled.</summary>
    /// <value>
    /// Default <see cref="RescalingKind.Top"/>, the paper's choice. The uniform controls shrink the whole change and so need a model that was
    /// fine-tuned with LoRA.
    /// </value>
    public RescalingKind Which { get; init; } = RescalingKind.Top;

    /// <summary>A singular vector is an intruder when its |cosine| with every singular vector of the base's matrix is below this.</summary>
    /// <value>Above 0 and below 1; default 0.5.</value>
    public double Epsilon { get; init; } = 0.5;

    /// <summary>How many leading singular vectors of each matrix may be intruders.</summary>
    /// <value>1 to the shorter side of the smallest targeted matrix; default 10.</value>
    public int TopK { get; init; } = 10;

    /// <summary>The linear maps that are rescaled, named as the checkpoint names them.</summary>
    /// <value>Default "all-linear": all that were fine-tuned. The names are those of <see cref="LoraOptions.TargetModules"/>.</value>
    public IReadOnlyList<string> TargetModules { get; init; } = [LoraOptions.AllLinear];

    /// <summary>Cuts the change of each rescaled matrix to this rank, the nearest in Frobenius norm.</summary>
    /// <value>
    /// 1 or more; null, the default, keeps it exact: of the adapter's rank plus the number of rescaled vectors. Only for models that were
    /// fine-tuned with LoRA.
    /// </value>
    public int? Rank { get; init; }

    /// <summary>The score column of the fine-tuned model; it and the predicted label are replaced.</summary>
    /// <value>Default "Score".</value>
    public string ScoreColumnName { get; init; } = OptionDefaults.Score;

    /// <summary>The base, for a model that was loaded from a file saved with <see cref="BaseStorage.TunedOnly"/>.</summary>
    /// <value>Its content must be that of the base fine-tuning started from; null, the default, where the model has it.</value>
    public PretrainedModel? BaseModel { get; init; }

    /// <summary>Stops the fit before the next matrix or validation batch, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal IntruderRescaling Rescaling(double scale) => new() { Kind = Which, Scale = scale, Epsilon = Epsilon, TopK = TopK };

    /// <summary>Everything that is wrong, each as one sentence; empty when all is well.</summary>
    internal IEnumerable<string> Faults()
    {
        if (Scale is { } scale && !IsScale(scale)) yield return $"Scale is {scale}; use 0 or more: 1 leaves an intruder as it is, 0 removes it.";
        if (Scale is not null && ValidationSet is not null) yield return "Scale and ValidationSet are both given; use one of them.";
        if (ScaleGrid.Count == 0) yield return "ScaleGrid is empty; name at least one value (default: 0, 0.1, … 0.9).";
        foreach (var value in ScaleGrid.Where(value => !IsScale(value))) yield return $"ScaleGrid holds {value}; use values of 0 or more.";
        if (AccuracyTolerance is not (>= 0 and <= 1)) yield return $"AccuracyTolerance is {AccuracyTolerance}; use a share from 0 to 1.";
        if (!Enum.IsDefined(Which)) yield return $"Which is {Which}; use {string.Join(", ", Enum.GetNames<RescalingKind>())}.";
        if (Epsilon is not (> 0 and < 1)) yield return $"Epsilon is {Epsilon}; use a cosine above 0 and below 1 (usual: 0.5).";
        if (TopK < 1) yield return $"TopK is {TopK}; use 1 or more (usual: 10).";
        if (TargetModules.Count == 0) yield return $"TargetModules is empty; name at least one linear map, or {LoraOptions.AllLinear}.";
        if (Rank < 1) yield return $"Rank is {Rank}; use 1 or more, or null for the exact change.";
        if (string.IsNullOrWhiteSpace(ScoreColumnName)) yield return "ScoreColumnName is empty; name the fine-tuned model's score column.";
        if (string.IsNullOrWhiteSpace(LabelColumnName)) yield return "LabelColumnName is empty; name the label column of ValidationSet.";
    }

    private static bool IsScale(double value) => value >= 0 && double.IsFinite(value);
}
