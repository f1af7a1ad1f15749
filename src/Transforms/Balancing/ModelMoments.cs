using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>Second moments of a base's layer inputs on task rows and on retention texts, collected once for any number of repairs.</summary>
/// <remarks>Owns them: 2 · d² · 8 bytes for each distinct input of width d.</remarks>
internal sealed class ModelMoments : IDisposable
{
    // What pseudo-log-likelihoods are usually read in.
    private const int WindowTokens = 128;

    private readonly InputMoments _task;
    private readonly InputMoments _retention;

    private ModelMoments(InputMoments task, InputMoments retention) => (_task, _retention) = (task, retention);

    /// <summary>Tokens of task rows that were looked at.</summary>
    public long TaskTokens => _task.TokenCount;

    /// <summary>Tokens of retention texts that were looked at.</summary>
    public long RetentionTokens => _retention.TokenCount;

    /// <summary>Runs both through the base, once.</summary>
    /// <param name="model">The base.</param>
    /// <param name="taskRows">The task's rows, one or more.</param>
    /// <param name="options">The texts, how many tokens, and the seed.</param>
    /// <param name="batchSize">Rows in a batch.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="checkCancelled">Called before each batch.</param>
    /// <exception cref="ArgumentException">No retention text has two tokens.</exception>
    public static ModelMoments Collect(
        PretrainedModel model, IReadOnlyList<EncodedText> taskRows, BalanceOptions options, int batchSize, Device device, Action checkCancelled)
    {
        var windows = MomentRows.SampleMasked(
            options.RetentionTexts, model.Tokenizer, Math.Min(WindowTokens, model.Config.MaxTokens), options.MomentTokens, options.Seed);
        if (windows.Count == 0)
            throw new ArgumentException(
                $"None of the {options.RetentionTexts.Count} RetentionTexts has two tokens or more; give sentences or paragraphs.", nameof(options));
        return Collect(model, MomentRows.Sample(taskRows, options.MomentTokens, options.Seed), windows, batchSize, device, checkCancelled);
    }

    /// <summary>Runs rows that were chosen already through the base, once.</summary>
    /// <param name="model">The base.</param>
    /// <param name="taskRows">Rows of the task, one or more.</param>
    /// <param name="retentionRows">Windows of retention text, one or more.</param>
    /// <param name="batchSize">Rows in a batch.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="checkCancelled">Called before each batch.</param>
    public static ModelMoments Collect(
        PretrainedModel model, IReadOnlyList<EncodedText> taskRows, IReadOnlyList<EncodedText> retentionRows, int batchSize, Device device, Action checkCancelled)
    {
        var task = EncoderMoments.Collect(model, taskRows, batchSize, device, checkCancelled);
        try
        {
            return new ModelMoments(task, EncoderMoments.Collect(model, retentionRows, batchSize, device, checkCancelled));
        }
        catch
        {
            task.Dispose();
            throw;
        }
    }

    /// <summary>What a repair changes in some matrices.</summary>
    /// <param name="changes">The model's changes.</param>
    /// <param name="names">The matrices.</param>
    /// <param name="balancing">The repair.</param>
    /// <param name="rank">Cuts what is added to a fully tuned matrix to this rank; null leaves it whole.</param>
    /// <param name="modelFingerprint">Of the model.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="checkCancelled">Called before each matrix.</param>
    /// <returns>The plans of all matrices, and corrections of those that change. The caller disposes the corrections.</returns>
    public (IReadOnlyList<BalancePlan> Plans, ModelCorrections Corrections) Balance(
        IWeightChanges changes, IReadOnlyList<string> names, RetentionBalancing balancing, int? rank, string modelFingerprint, Device device, Action checkCancelled)
    {
        var (plans, beside) = (new List<BalancePlan>(), new Dictionary<string, LoraFactors>());
        var (downs, shifts) = (new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>());
        var corrections = new ModelCorrections(modelFingerprint) { Factors = beside, Downs = downs, Shifts = shifts };
        try
        {
            foreach (var name in names)
            {
                checkCancelled();
                using var change = changes.Open(name, device);
                using var balanced = Balance(change.Change, balancing);
                plans.Add(balanced.Plan);
                if (balanced.Plan.ChangesNothing) continue;
                if (change.Change.IsLowRank) downs.Add(name, Down(balanced));
                else if (rank is not { } kept) shifts.Add(name, balanced.ToDifference(ScalarType.BFloat16)!);
                else plans[^1] = balanced.Plan with { TruncationError = AddCut(beside, name, balanced, kept) };
            }
            return (plans, corrections);
        }
        catch
        {
            corrections.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _task.Dispose();
        _retention.Dispose();
    }

    private BalancedChange Balance(WeightChange change, RetentionBalancing balancing)
    {
        using var scope = NewDisposeScope();
        return balancing.Apply(change, _task.Of(change.Name), _retention.Of(change.Name));
    }

    private static Tensor Down(BalancedChange balanced)
    {
        var factors = balanced.ToFactors();
        factors.B.Dispose();            // as it was
        return factors.A;
    }

    // Of what is added: that is what is cut.
    private static double AddCut(Dictionary<string, LoraFactors> beside, string name, BalancedChange balanced, int rank)
    {
        var cut = balanced.TruncateDifference(rank)!;
        beside.Add(name, new LoraFactors(cut.Factors.A, cut.Factors.B, cut.Factors.Scale));
        return cut.RelativeError;
    }
}
