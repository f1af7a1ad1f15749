using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of BalanceRetention.</summary>
/// <remarks>Immutable. All faults are reported together when the estimator is created.</remarks>
public sealed record BalanceOptions
{
    internal const double DefaultStrength = 0.5;

    /// <summary>Texts of the kind whose knowledge is to be kept: what the base was pretrained on, or general text of the language.</summary>
    /// <value>
    /// Default: none, which is refused. At least one with two tokens; some hundred sentences are enough. Long texts are read in windows of up to 128 tokens, and 15 % of the
    /// tokens are hidden, as in pretraining: how well hidden tokens are guessed is what forgetting is measured by.
    /// </value>
    public IReadOnlyList<string> RetentionTexts { get; init; } = [];

    /// <summary>μ, how much a disturbance of the retained texts counts against one of the task: 0 changes nothing, large values undo the fine-tuning.</summary>
    /// <value>0 or more; null, the default, means 0.5, or with <see cref="ValidationSet"/> what that chooses.</value>
    public double? Strength { get; init; }

    /// <summary>
    /// Rows that choose μ: the largest of <see cref="StrengthGrid"/> and 0 whose accuracy on them stays within <see cref="AccuracyTolerance"/> of
    /// that at 0.
    /// </summary>
    /// <value>Holds the model's text columns and the label, as a key or raw; null, the default, where <see cref="Strength"/> says it.</value>
    public IDataView? ValidationSet { get; init; }

    /// <summary>The label column of <see cref="ValidationSet"/>.</summary>
    /// <value>Default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>The values of μ that <see cref="ValidationSet"/> chooses from.</summary>
    /// <value>Each 0 or more; default 0.1, 0.2, 0.5, 1, 2, 5, 10.</value>
    public IReadOnlyList<double> StrengthGrid { get; init; } = [0.1, 0.2, 0.5, 1, 2, 5, 10];

    /// <summary>How much accuracy on <see cref="ValidationSet"/> may be lost.</summary>
    /// <value>A share from 0 to 1; default 0.005, half a row in a hundred.</value>
    public double AccuracyTolerance { get; init; } = 0.005;

    /// <summary>How much of the identity is added to each second moment, in units of its mean eigenvalue: more is safer with few rows.</summary>
    /// <value>From 1e-6 to 1; default 0.01.</value>
    public double Shrinkage { get; init; } = 0.01;

    /// <summary>How many tokens of the task rows, and as many again of the retention texts, are looked at; whole rows are drawn at random.</summary>
    /// <value>1 or more; default 16,384. A few times the width of the widest layer is enough.</value>
    public int MomentTokens { get; init; } = 16_384;

    /// <summary>The linear maps that are balanced, named as the checkpoint names them.</summary>
    /// <value>Default "all-linear": all that were fine-tuned. The names are those of <see cref="LoraOptions.TargetModules"/>.</value>
    public IReadOnlyList<string> TargetModules { get; init; } = [LoraOptions.AllLinear];

    /// <summary>
    /// For a model that was fine-tuned in full: keeps what is added to each matrix at this rank, the nearest in Frobenius norm, so that the
    /// repair is small in memory and on disk. A LoRA keeps its own rank always.
    /// </summary>
    /// <value>
    /// 1 or more; null, the default, keeps it whole, rounded to bfloat16: 2 bytes for each number of the balanced matrices. What a cut leaves out
    /// is in <see cref="BalancePlan.TruncationError"/>.
    /// </value>
    public int? Rank { get; init; }

    /// <summary>The score column of the fine-tuned model; it and the predicted label are replaced.</summary>
    /// <value>Default "Score".</value>
    public string ScoreColumnName { get; init; } = OptionDefaults.Score;

    /// <summary>Draws the rows and texts that are looked at, and the tokens that are hidden.</summary>
    /// <value>Any number; default 0: the same rows give the same repair.</value>
    public int Seed { get; init; }

    /// <summary>The base, for a model that was loaded from a file saved with <see cref="BaseStorage.TunedOnly"/>.</summary>
    /// <value>Its content must be that of the base fine-tuning started from; null, the default, where the model has it.</value>
    public PretrainedModel? BaseModel { get; init; }

    /// <summary>Stops the fit before the next row, batch or matrix, with an OperationCanceledException.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    internal RetentionBalancing Balancing(double strength) => new() { Strength = strength, Shrinkage = Shrinkage };

    /// <summary>Everything that is wrong, each as one sentence; empty when all is well.</summary>
    internal IEnumerable<string> Faults()
    {
        if (RetentionTexts.Count == 0) yield return "RetentionTexts is empty; give texts of the kind whose knowledge is to be kept (usual: some hundred sentences).";
        else if (RetentionTexts.Any(text => text is null)) yield return "RetentionTexts holds null; give texts.";
        if (Strength is { } strength && !IsStrength(strength)) yield return $"Strength is {strength}; use 0 or more: 0 changes nothing (usual: 0.1 to 10).";
        if (Strength is not null && ValidationSet is not null) yield return "Strength and ValidationSet are both given; use one of them.";
        if (StrengthGrid.Count == 0) yield return "StrengthGrid is empty; name at least one value (default: 0.1, 0.2, 0.5, 1, 2, 5, 10).";
        foreach (var value in StrengthGrid.Where(value => !IsStrength(value))) yield return $"StrengthGrid holds {value}; use values of 0 or more.";
        if (AccuracyTolerance is not (>= 0 and <= 1)) yield return $"AccuracyTolerance is {AccuracyTolerance}; use a share from 0 to 1.";
        // The strengths are named above.
        foreach (var fault in Balancing(0).Faults()) yield return fault;
        if (MomentTokens < 1) yield return $"MomentTokens is {MomentTokens}; use 1 or more (usual: 16384).";
        if (TargetModules.Count == 0) yield return $"TargetModules is empty; name at least one linear map, or {LoraOptions.AllLinear}.";
        if (Rank < 1) yield return $"Rank is {Rank}; use 1 or more, or null for the whole change.";
        if (string.IsNullOrWhiteSpace(ScoreColumnName)) yield return "ScoreColumnName is empty; name the fine-tuned model's score column.";
        if (string.IsNullOrWhiteSpace(LabelColumnName)) yield return "LabelColumnName is empty; name the label column of ValidationSet.";
    }

    private static bool IsStrength(double value) => value >= 0 && double.IsFinite(value);
}
