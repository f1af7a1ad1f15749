using System.Globalization;
using MLNetLoRA.Modeling;
using MLNetLoRA.Transforms;

namespace MLNetLoRA.Evaluation;

/// <summary>BalanceRetention at any strength μ. Moments are collected once, for all of them. Owns these and handles on the model.</summary>
internal sealed class BalanceRepair : IRepair, IDisposable
{
    /// <summary>Said where there are no rows to learn from.</summary>
    public const string LeftOut = "Balance was left out: it learns from the task's training rows, and TaskRows gives none.";

    private static readonly BalanceOptions Defaults = new();

    private readonly TextClassifier _classifier;
    private readonly IWeightChanges _changes;
    private readonly IReadOnlyList<string> _names;
    private readonly ModelMoments _moments;
    private readonly Action _checkCancelled;

    /// <summary>Collects the moments.</summary>
    /// <param name="strengths">The values of μ.</param>
    /// <param name="classifier">The model; borrowed.</param>
    /// <param name="baseModel">Its base.</param>
    /// <param name="taskRows">Rows of its task that will not judge it.</param>
    /// <param name="retention">Retention text that will not judge it.</param>
    /// <param name="options">Batch size, seed and cancellation.</param>
    public BalanceRepair(
        IReadOnlyList<double> strengths, TextClassifier classifier, PretrainedModel baseModel, IReadOnlyList<EncodedText> taskRows, RetentionWindows retention,
        ForgettingOptions options)
    {
        (Strengths, _classifier, _checkCancelled) = ([.. strengths.Order()], classifier, options.CancellationToken.ThrowIfCancellationRequested);
        _changes = classifier.OpenChanges(baseModel);
        try
        {
            _names = new TargetedMatrices(baseModel.Config, Defaults.TargetModules).Of(_changes.Names);
            _moments = ModelMoments.Collect(
                baseModel, MomentRows.Sample(taskRows, Defaults.MomentTokens, options.Seed),
                MomentRows.SampleMasked(retention, baseModel.Tokenizer, Defaults.MomentTokens, options.Seed), options.BatchSize, classifier.Device, _checkCancelled);
        }
        catch
        {
            _changes.Dispose();
            throw;
        }
    }

    public RepairMethod Method => RepairMethod.Balance;

    public IReadOnlyList<double> Strengths { get; }

    public double Untouched => 0;

    public RepairTrial At(double strength) => new(
        strength == Untouched ? "" : string.Create(CultureInfo.InvariantCulture, $"balance {strength:R}"),
        () => _moments.Balance(_changes, _names, Defaults.Balancing(strength), rank: null, modelFingerprint: "", _classifier.Device, _checkCancelled).Corrections);

    public void Dispose()
    {
        _moments.Dispose();
        _changes.Dispose();
    }
}
