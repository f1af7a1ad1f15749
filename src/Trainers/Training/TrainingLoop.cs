using System.Diagnostics;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The training loop: AdamW over shuffled rows, epoch by epoch, keeping the best weights.</summary>
/// <remarks>
/// Source: arXiv 1711.05101 (AdamW); first moment 0.9, epsilon 1e-8. Native memory: one dispose scope per pass and per step.
/// </remarks>
internal sealed class TrainingLoop(ITrainingTask task, TrainingPlan plan, FitRandomness randomness, ITrainingObserver observer, IReadOnlyCollection<string> drawnKeys)
{
    private readonly Parameter[] _trainable = [.. task.Network.parameters().Where(parameter => parameter.requires_grad)];
    private readonly Stopwatch _clock = new();
    private int[] _lastRows = [];
    private long _step;

    /// <summary>Trains to the end, to early stopping, or to divergence; the caller owns the outcome's weights.</summary>
    /// <exception cref="OperationCanceledException">The observer asked to stop; nothing is kept.</exception>
    public TrainingOutcome Run()
    {
        var totalSteps = plan.StepsPerEpoch(task.RowCount) * plan.MaxEpochs;
        using var optimizer = CreateOptimizer();
        using var kept = new KeptWeights(task.Network, drawnKeys);
        var epochs = new List<EpochReport>();
        ValidationOutcome? best = null;
        _clock.Start();

        for (var epoch = 1; epoch <= plan.MaxEpochs; epoch++)
        {
            var began = _clock.Elapsed;
            double trainLoss;
            try
            {
                trainLoss = TrainEpoch(optimizer, epoch, totalSteps);
            }
            catch (NotFiniteNumberException divergence)
            {
                return Outcome(divergence.OffendingNumber);
            }

            var validation = task.Validate(observer.CheckCancelled);
            var lossNow = validation?.Loss ?? LossOfLastRows();
            if (!double.IsFinite(lossNow)) return Outcome(lossNow);
            epochs.Add(new EpochReport(
                epoch, trainLoss, validation?.Loss, validation?.Accuracy, validation?.MacroAccuracy, (_clock.Elapsed - began).TotalSeconds));
            observer.EpochEnded(epochs[^1]);

            if (validation is null || validation.IsBetterThan(best))
            {
                best = validation;
                kept.Take(epoch);
            }
            if (validation is not null && epoch - kept.Epoch >= plan.Patience) break;
        }
        return Outcome(null);

        TrainingOutcome Outcome(double? offending) => new(
            kept.Release(), kept.Epoch, epochs, _clock.Elapsed.TotalSeconds,
            offending is { } loss ? new Divergence(_step, loss, LearningRateAt(_step - 1, totalSteps)) : null);
    }

    /// <returns>The mean loss over all rows, each weighted as in its own step.</returns>
    private double TrainEpoch(AdamW optimizer, int epoch, long totalSteps)
    {
        task.Network.train();
        var order = randomness.Shuffle(task.RowCount);
        double summedLoss = 0, summedWeight = 0;
        foreach (var rows in order.Chunk((int)Math.Min(plan.RowsPerStep, order.Length)))
        {
            _lastRows = rows;
            observer.CheckCancelled();
            var rate = LearningRateAt(_step++, totalSteps);
            var weight = task.WeightOf(rows);
            var loss = Step(optimizer, rows, weight, rate);
            summedLoss += loss * weight;
            summedWeight += weight;
            observer.StepEnded(new TrainingProgress(epoch, plan.MaxEpochs, _step, totalSteps, loss, rate, _clock.Elapsed.TotalSeconds));
        }
        return summedLoss / summedWeight;
    }

    // A step is checked before it is taken, so what the last step of an epoch did to the weights shows only in another pass.
    private double LossOfLastRows()
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        task.Network.eval();
        var rows = _lastRows.AsSpan(0, Math.Min(plan.BatchSize, _lastRows.Length));
        return task.SummedLoss(rows).item<float>() / task.WeightOf(rows);
    }

    /// <returns>The mean loss over the rows.</returns>
    private double Step(AdamW optimizer, int[] rows, double weight, double rate)
    {
        double meanLoss = 0;
        foreach (var passRows in rows.Chunk(plan.BatchSize))
        {
            using var pass = NewDisposeScope();
            // Dividing by the whole step's weight makes accumulated passes equal to one large batch, uneven ends included.
            var loss = task.SummedLoss(passRows) / weight;
            meanLoss += loss.item<float>();
            loss.backward();
        }

        using var scope = NewDisposeScope();
        var gradientNorm = nn.utils.clip_grad_norm_(_trainable, plan.MaxGradientNorm ?? double.PositiveInfinity);
        if (!double.IsFinite(meanLoss) || !double.IsFinite(gradientNorm))
            throw new NotFiniteNumberException(meanLoss);
        foreach (var group in optimizer.ParamGroups) group.LearningRate = rate;
        optimizer.step();
        optimizer.zero_grad();
        return meanLoss;
    }

    private double LearningRateAt(long step, long totalSteps) =>
        plan.LearningRate * LearningRateFactor.At(plan.Schedule, step, totalSteps, plan.WarmupRatio);

    // Biases and norms are not decayed: they have no scale to keep small (as in Hugging Face's Trainer).
    private AdamW CreateOptimizer()
    {
        var matrices = _trainable.Where(parameter => parameter.shape.Length > 1).ToArray();
        var vectors = _trainable.Where(parameter => parameter.shape.Length <= 1).ToArray();
        var groups = new List<AdamW.ParamGroup>();
        if (matrices.Length > 0) groups.Add(Group(matrices, plan.WeightDecay));
        if (vectors.Length > 0) groups.Add(Group(vectors, 0));
        return new AdamW(groups, plan.LearningRate);

        AdamW.ParamGroup Group(Parameter[] parameters, double weightDecay) =>
            new(parameters, plan.LearningRate, beta2: plan.SecondMomentDecay, weight_decay: weightDecay);
    }
}

/// <summary>What a training run left behind.</summary>
/// <param name="Weights">Trained and freshly drawn parameters of the kept epoch, by checkpoint key; empty when no epoch ended well.</param>
/// <param name="KeptEpoch">1-based; 0 when no epoch ended well.</param>
/// <param name="Epochs">The epochs that ran to their end.</param>
/// <param name="Seconds">From the first step to the last validation.</param>
/// <param name="Divergence">Where the numbers blew up; null when they did not.</param>
internal sealed record TrainingOutcome(
    Dictionary<string, Tensor> Weights, int KeptEpoch, IReadOnlyList<EpochReport> Epochs, double Seconds, Divergence? Divergence);

/// <summary>The step at which a loss or gradient was no longer a number.</summary>
internal sealed record Divergence(long Step, double Loss, double LearningRate);

/// <summary>Hears of every step and epoch, and may stop the run.</summary>
internal interface ITrainingObserver
{
    /// <summary>Throws when the run shall stop.</summary>
    void CheckCancelled();

    void StepEnded(TrainingProgress progress);

    void EpochEnded(EpochReport epoch);
}
