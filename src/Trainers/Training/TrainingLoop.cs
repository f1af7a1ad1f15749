using System.Diagnostics;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The training loop: AdamW over shuffled rows, epoch by epoch, keeping the best weights.</summary>
/// <remarks>
/// Native memory: one dispose scope per pass and per step. All that a run has come to is in its position, its weights and its optimizer, so
/// that one which goes on from a checkpoint takes the same steps as one that was never stopped, on the CPU to the bit.
/// </remarks>
internal sealed class TrainingLoop(
    ITrainingTask task, TrainingPlan plan, FitRandomness randomness, ITrainingObserver observer, IReadOnlyCollection<string> drawnKeys,
    TrainingCheckpoints? checkpoints = null)
{
    private readonly Stopwatch _clock = new();
    private readonly long _totalSteps = plan.TotalSteps(task.RowCount);
    private TrainingPosition _position = TrainingPosition.Beginning;
    private double _secondsBefore;
    private int[] _order = [];

    /// <summary>Trains to the end, to early stopping, or to divergence; the caller owns the outcome's weights.</summary>
    /// <exception cref="OperationCanceledException">The observer asked to stop; nothing is kept but, where there are checkpoints, one more of them.</exception>
    /// <exception cref="IOException">A checkpoint could not be written.</exception>
    /// <exception cref="InvalidDataException">The checkpoint to go on from is damaged, or of another run.</exception>
    public TrainingOutcome Run()
    {
        using var optimizer = new TrainingOptimizer(task.Network, plan);
        using var kept = new KeptWeights(task.Network, drawnKeys);
        var memory = new TrainingMemory(task.Network, optimizer, kept);
        Begin(memory);
        try
        {
            return Train(memory);
        }
        catch (OperationCanceledException) when (checkpoints is not null)
        {
            Save(memory);
            throw;
        }
    }

    private double Elapsed => _secondsBefore + _clock.Elapsed.TotalSeconds;

    private long RowsPerStep => Math.Min(plan.RowsPerStep, task.RowCount);

    private void Begin(TrainingMemory memory)
    {
        if (checkpoints?.Restore(memory, plan, task.RowCount) is { } position)
        {
            _position = position;
            _secondsBefore = position.ElapsedSeconds;
            if (position.StepInEpoch > 0)
            {
                randomness.Restore(position.EpochRandom);
                _order = randomness.Shuffle(task.RowCount);
            }
            randomness.Restore(position.Random);
        }
        _clock.Start();
    }

    private TrainingOutcome Train(TrainingMemory memory)
    {
        while (true)
        {
            try
            {
                TrainEpoch(memory);
            }
            catch (NotFiniteNumberException divergence)
            {
                return Outcome(memory.Kept, divergence.OffendingNumber);
            }

            var validation = task.Validate(observer.CheckCancelled);
            var lossNow = validation?.Loss ?? LossOfLastRows();
            if (!double.IsFinite(lossNow)) return Outcome(memory.Kept, lossNow);
            EndEpoch(memory.Kept, validation);

            var epochs = _position.Epochs.Count;
            var isOutOfPatience = validation is not null && epochs - memory.Kept.Epoch >= plan.Patience;
            if (epochs == plan.MaxEpochs || _position.Step == _totalSteps || isOutOfPatience) return Outcome(memory.Kept, null);
        }
    }

    private TrainingOutcome Outcome(KeptWeights kept, double? offending) => new(
        kept.Release(), kept.Epoch, _position.Epochs, _position.Evaluations, Elapsed,
        offending is { } loss ? new Divergence(_position.Step, loss, LearningRateAt(_position.Step - 1)) : null);

    private void TrainEpoch(TrainingMemory memory)
    {
        // An epoch that goes on from a checkpoint has its order already.
        if (_order.Length == 0)
        {
            _position = _position with { EpochRandom = randomness.Save(), EpochStartSeconds = Elapsed };
            _order = randomness.Shuffle(task.RowCount);
        }
        Evaluate();
        task.Network.train();
        while (_position.StepInEpoch < plan.StepsPerEpoch(task.RowCount) && _position.Step < _totalSteps)
        {
            observer.CheckCancelled();
            var rows = RowsOfStep(_position.StepInEpoch);
            var rate = LearningRateAt(_position.Step);
            var weight = task.WeightOf(rows);
            var loss = Step(memory.Optimizer, rows, weight, rate);
            _position = _position with
            {
                EpochLoss = _position.EpochLoss.Plus(loss, weight),
                RecentLoss = _position.RecentLoss.Plus(loss, weight),
            };
            var validationLoss = Evaluate();
            observer.StepEnded(new TrainingProgress(_position.Epoch, plan.MaxEpochs, _position.Step, _totalSteps, loss, rate, Elapsed)
            {
                ValidationLoss = validationLoss,
            });
            if (checkpoints?.IsDue(_position.Step) is true) Save(memory);
        }
    }

    private int[] RowsOfStep(long stepInEpoch)
    {
        var start = (int)(stepInEpoch * RowsPerStep);
        return _order[start..(int)Math.Min(start + RowsPerStep, _order.Length)];
    }

    /// <returns>The mean loss over the rows.</returns>
    private double Step(TrainingOptimizer optimizer, int[] rows, double weight, double rate)
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
        var gradientNorm = optimizer.ClipGradient(plan.MaxGradientNorm);
        _position = _position with { Step = _position.Step + 1, StepInEpoch = _position.StepInEpoch + 1 };
        if (!double.IsFinite(meanLoss) || !double.IsFinite(gradientNorm)) throw new NotFiniteNumberException(meanLoss);
        optimizer.Step(rate);
        return meanLoss;
    }

    /// <summary>Judges the network on the held-out rows where the step is one of those; at most once a step, before and after a stop together.</summary>
    private double? Evaluate()
    {
        if (plan.EvaluateEverySteps is not { } every || _position.Step == 0 || _position.Step % every != 0) return null;
        if (_position.Evaluations is [.., var last] && last.Step == _position.Step) return null;
        if (task.Validate(observer.CheckCancelled) is not { } outcome) return null;

        task.Network.train();
        if (!double.IsFinite(outcome.Loss)) throw new NotFiniteNumberException(outcome.Loss);
        var evaluation = new EvaluationReport(_position.Step, _position.RecentLoss.Mean(), outcome.Loss, Elapsed);
        _position = _position with { Evaluations = [.. _position.Evaluations, evaluation], RecentLoss = default };
        observer.Evaluated(evaluation, _totalSteps);
        return outcome.Loss;
    }

    // A step is checked before it is taken, so what the last step of an epoch did to the weights shows only in another pass.
    private double LossOfLastRows()
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        task.Network.eval();
        var last = RowsOfStep(_position.StepInEpoch - 1);
        var rows = last.AsSpan(0, Math.Min(plan.BatchSize, last.Length));
        return task.SummedLoss(rows).item<float>() / task.WeightOf(rows);
    }

    private void EndEpoch(KeptWeights kept, ValidationOutcome? validation)
    {
        var epoch = _position.Epoch;
        var report = new EpochReport(
            epoch, _position.EpochLoss.Mean(), validation?.Loss, validation?.Accuracy, validation?.MacroAccuracy, Elapsed - _position.EpochStartSeconds);
        if (validation is null || validation.IsBetterThan(_position.Best))
        {
            _position = _position with { Best = validation };
            kept.Take(epoch);
        }
        _position = _position with { Epoch = epoch + 1, StepInEpoch = 0, EpochLoss = default, Epochs = [.. _position.Epochs, report] };
        _order = [];
        observer.EpochEnded(report);
    }

    private void Save(TrainingMemory memory)
    {
        // Stopped after the last epoch: the checkpoint before leads to the same end.
        if (_position.Step == 0 || (_position.Step == _totalSteps && _position.StepInEpoch == 0)) return;
        var now = randomness.Save();
        // Before its first step an epoch's order is drawn anew, from the state that it was drawn from.
        var epochRandom = _order.Length == 0 ? now : _position.EpochRandom;
        checkpoints!.Save(
            _position with { ElapsedSeconds = Elapsed, EpochRandom = epochRandom, Random = _position.StepInEpoch == 0 ? epochRandom : now }, memory);
    }

    private double LearningRateAt(long step) => plan.LearningRate * LearningRateFactor.At(plan.Schedule, step, _totalSteps, plan.WarmupRatio);
}
