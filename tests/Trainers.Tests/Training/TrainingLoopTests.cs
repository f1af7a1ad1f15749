using MLNetLoRA.Trainers.Tests.TextClassification;

namespace MLNetLoRA.Trainers.Tests.Training;

/// <summary>The loop alone, on a task whose gradients and validation outcomes are given.</summary>
public class TrainingLoopTests
{
    private static readonly TrainingPlan Plan = new(
        MaxEpochs: 1, BatchSize: 2, AccumulationSteps: 1, LearningRate: 0.1, LearningRateSchedule.Constant, WarmupRatio: 0, WeightDecay: 0,
        MaxGradientNorm: null, Patience: 3);

    private readonly RecordingObserver _observer = new();

    [Fact]
    public void Run_OneStep_MovesByTheLearningRateAgainstTheGradientsSign()
    {
        using var task = new ScriptedTask([3]);
        Run(task, Plan);

        // AdamW's first step is the rate times the gradient over its own size.
        Assert.Equal(0.9, task.Matrix, 1e-5);
        Assert.Equal(0.9, task.Vector, 1e-5);
        Assert.Equal([6.0], _observer.Losses);
    }

    [Fact]
    public void Run_WithASchedule_UsesEachStepsRateInTheStep()
    {
        using var task = new ScriptedTask([1, 1, 1, 1]);
        Run(task, Plan with { BatchSize = 1, Schedule = LearningRateSchedule.Linear });

        // Equal gradients make every AdamW step the rate itself: 0.1, 0.075, 0.05, 0.025.
        Assert.Equal([0.1, 0.075, 0.05, 0.025], _observer.LearningRates.Select(rate => Math.Round(rate, 9)));
        Assert.Equal(1 - 0.25, task.Matrix, 1e-5);
    }

    [Fact]
    public void Run_WithWeightDecay_ShrinksMatricesOnly()
    {
        using var task = new ScriptedTask([1]);
        Run(task, Plan with { WeightDecay = 0.5 });

        Assert.Equal(1 * (1 - 0.1 * 0.5) - 0.1, task.Matrix, 1e-5);
        Assert.Equal(0.9, task.Vector, 1e-5);
    }

    [Fact]
    public void Run_AccumulatingOverUnevenEnds_EqualsOneLargeBatch()
    {
        // Seven rows: a step of four and one of three, in one pass or in passes of two, two, two and one.
        double[] targets = [1, -2, 3, 0.5, 2, -1, 4];
        using var large = new ScriptedTask(targets) { Weight = row => 1 + row };
        using var accumulated = new ScriptedTask(targets) { Weight = row => 1 + row };

        Run(large, Plan with { BatchSize = 4, MaxEpochs = 3 });
        Run(accumulated, Plan with { BatchSize = 2, AccumulationSteps = 2, MaxEpochs = 3 });

        Assert.Equal([4, 3], large.PassSizes.Take(2));
        Assert.Equal([2, 2, 2, 1], accumulated.PassSizes.Take(4));
        Assert.Equal(large.Matrix, accumulated.Matrix, 1e-6);
        Assert.Equal(large.Vector, accumulated.Vector, 1e-6);
        Assert.Equal(_observer.Losses.Take(6), _observer.Losses.Skip(6), (one, other) => Math.Abs(one - other) < 1e-5);
    }

    [Fact]
    public void Run_LossOfAnEpoch_IsTheMeanOverRowsNotOverSteps()
    {
        using var task = new ScriptedTask([1, 1, 1, 1, 1]) { Weight = row => row == 0 ? 6 : 1 };
        Run(task, Plan with { LearningRate = 1e-12 });

        Assert.Equal(2, _observer.Epochs[0].TrainLoss, 1e-6);
    }

    [Fact]
    public void Run_WithALongGradient_ShortensItOnlyWhenAsked()
    {
        // Adam forgets a gradient's size, so clipping shows where gradients differ in size: a large one, then small ones.
        double[] targets = [100, 1, 1, 1];
        using var free = new ScriptedTask(targets);
        using var clipped = new ScriptedTask(targets);

        Run(free, Plan with { BatchSize = 1, MaxEpochs = 2 });
        Run(clipped, Plan with { BatchSize = 1, MaxEpochs = 2, MaxGradientNorm = 0.1 });

        Assert.Equal(1 - 8 * 0.1, clipped.Matrix, 1e-3);
        Assert.True(Math.Abs(free.Matrix - clipped.Matrix) > 0.05);
    }

    [Fact]
    public void Run_TwoEpochs_SeesEveryRowOnceInEachInAnotherOrder()
    {
        using var task = new ScriptedTask(new double[50]);
        Run(task, Plan with { MaxEpochs = 2 });

        Assert.Equal(Enumerable.Range(0, 50), task.RowsSeen.Take(50).Order());
        Assert.Equal(Enumerable.Range(0, 50), task.RowsSeen.Skip(50).Order());
        Assert.NotEqual(task.RowsSeen.Take(50), task.RowsSeen.Skip(50));
        Assert.All(task.TrainingModes, Assert.True);
    }

    [Fact]
    public void Run_WithoutImprovement_StopsAfterPatienceAndKeepsTheBestEpoch()
    {
        using var task = new ScriptedTask([1, 1], Accuracy(0.5), Accuracy(0.8), Accuracy(0.7), Accuracy(0.8), Accuracy(0.9));

        var outcome = Run(task, Plan with { MaxEpochs = 5, Patience = 2 });

        Assert.Equal(4, outcome.Epochs.Count);
        Assert.Equal(2, outcome.KeptEpoch);
        Assert.Equal(task.MatrixAtValidation[1], outcome.Weights["matrix"].item<float>());
        Assert.NotEqual(task.MatrixAtValidation[3], outcome.Weights["matrix"].item<float>());
        Free(outcome);
    }

    [Fact]
    public void Run_WithImprovementEachTime_RunsToTheEndAndKeepsTheLast()
    {
        using var task = new ScriptedTask([1, 1], Accuracy(0.5), Accuracy(0.6), Accuracy(0.7));

        var outcome = Run(task, Plan with { MaxEpochs = 3, Patience = 1 });

        Assert.Equal(3, outcome.KeptEpoch);
        Assert.Equal([0.5, 0.6, 0.7], outcome.Epochs.Select(epoch => epoch.ValidationAccuracy!.Value));
        Free(outcome);
    }

    [Fact]
    public void Run_LossNotANumber_StopsAtThatStepWithTheLastEpochsWeights()
    {
        using var task = new ScriptedTask([1, 1, 1], Accuracy(0.5), new ValidationOutcome(double.NaN, 0.1, 0.1));

        var outcome = Run(task, Plan with { MaxEpochs = 5 });

        Assert.Equal(new Divergence(4, double.NaN, 0.1), outcome.Divergence);
        Assert.Equal(1, outcome.KeptEpoch);
        Assert.Equal(task.MatrixAtValidation[0], outcome.Weights["matrix"].item<float>());
        Free(outcome);
    }

    [Fact]
    public void Run_LastStepBreaksTheWeightsWithoutValidation_IsDivergence()
    {
        // The loss before the step is finite, and so is the gradient; after it the loss is -1e39, which float32 does not hold.
        using var task = new ScriptedTask([1e36]);

        var outcome = Run(task, Plan with { LearningRate = 1000 });

        Assert.Equal(1, outcome.Divergence?.Step);
        Assert.Equal(0, outcome.KeptEpoch);
        Assert.Empty(outcome.Weights);
    }

    [Fact]
    public void Run_GradientOverflow_IsDivergenceWithAFiniteLoss()
    {
        using var task = new ScriptedTask([1.5e38, 1.5e38]);

        var outcome = Run(task, Plan with { BatchSize = 1, AccumulationSteps = 1, LearningRate = 1e-3 });

        Assert.NotNull(outcome.Divergence);
        Free(outcome);
    }

    [Fact]
    public void Run_HugeBatchTimesAccumulation_IsOneStep()
    {
        using var task = new ScriptedTask([1, 1, 1]);
        Run(task, Plan with { BatchSize = OptionDefaults.MostRows, AccumulationSteps = OptionDefaults.MostRows });

        Assert.Single(_observer.Losses);
    }

    [Fact]
    public void Run_WithMaxSteps_StopsWithinAnEpochWhereTheScheduleEnds()
    {
        using var task = new ScriptedTask([1, 1, 1, 1]);

        var outcome = Run(task, Plan with { BatchSize = 1, MaxEpochs = 3, MaxSteps = 6, Schedule = LearningRateSchedule.Linear });

        Assert.Equal(Enumerable.Range(0, 6).Select(step => 0.1 * (6 - step) / 6), _observer.LearningRates, (one, other) => Math.Abs(one - other) < 1e-12);
        Assert.Equal(2, outcome.Epochs.Count);
        Assert.Equal(2, outcome.KeptEpoch);
        Free(outcome);
    }

    [Fact]
    public void Run_EvaluatingEveryTwoSteps_ReportsTheStepsSinceTheLastTimeAndGoesOnTraining()
    {
        // Tiny steps leave the loss of row r at 2 · targets[r]; epochs end with a validation of their own.
        using var task = new ScriptedTask([1, 1, 1, 1, 1], Loss(7), Loss(6), Loss(5), Loss(4)) { Weight = row => row + 1 };

        var outcome = Run(task, Plan with { BatchSize = 1, LearningRate = 1e-12, EvaluateEverySteps = 2 });

        Assert.Equal([(2L, 7.0), (4L, 6.0)], outcome.Evaluations.Select(evaluation => (evaluation.Step, evaluation.ValidationLoss)));
        Assert.All(outcome.Evaluations, evaluation => Assert.Equal(2, evaluation.TrainLoss, 1e-6));
        Assert.Equal(5, outcome.Epochs[0].ValidationLoss);
        Assert.Equal(outcome.Evaluations, _observer.Evaluations);
        Assert.Equal([null, 7.0, null, 6.0, null], _observer.ValidationLosses);
        Assert.All(task.TrainingModes, Assert.True);
        Free(outcome);
    }

    [Fact]
    public void Run_HeldOutLossNotANumberWithinAnEpoch_IsDivergence()
    {
        using var task = new ScriptedTask([1, 1], Loss(double.NaN));

        var outcome = Run(task, Plan with { BatchSize = 1, EvaluateEverySteps = 1 });

        Assert.Equal(new Divergence(1, double.NaN, 0.1), outcome.Divergence);
    }

    private static ValidationOutcome Loss(double loss) => new(loss, null, null);

    private TrainingOutcome Run(ScriptedTask task, TrainingPlan plan)
    {
        using var randomness = new FitRandomness(1);
        return new TrainingLoop(task, plan, randomness, _observer, []).Run();
    }

    private static void Free(TrainingOutcome outcome)
    {
        foreach (var weight in outcome.Weights.Values) weight.Dispose();
    }

    private static ValidationOutcome Accuracy(double accuracy) => new(1, accuracy, accuracy);
}
