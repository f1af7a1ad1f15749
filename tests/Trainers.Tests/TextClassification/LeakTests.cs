using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>Live tensors before and after, without help from the garbage collector.</summary>
[Collection(ProcessWide.Name)]
public class LeakTests
{
    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_ThenScoreThenDispose_LeavesNothing(FineTuningMethod method)
    {
        var options = CapitalTask.Options with
        {
            MaxEpochs = 2, Dropout = 0.1, ValidationFraction = 0.2, Lora = new LoraOptions { Rank = 2, Dropout = 0.1 },
        };
        var parameters = CapitalTask.ParameterCount(method);
        var before = LiveTensors.Settled();

        using (var model = CapitalTask.Fit(method, options)) CapitalTask.Scores(model, CapitalTask.Rows(20));

        Assert.Equal(before + 2 * parameters, LiveTensors.Now);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public void Scoring_ManyRows_LeavesNothing()
    {
        using var model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });
        var before = LiveTensors.Settled();

        CapitalTask.Scores(model, CapitalTask.Rows(200));

        Assert.Equal(before, LiveTensors.Now);
    }

    [Fact]
    public void Training_FiftySteps_HoldsNoMoreThanFive()
    {
        Assert.Equal(PeakOf(steps: 5), PeakOf(steps: 50));

        static long PeakOf(int steps)
        {
            long peak = 0, before = LiveTensors.Settled();
            var options = CapitalTask.Options with
            {
                MaxEpochs = 1, BatchSize = 4, Dropout = 0.1, Progress = new OnStep(step => peak = Math.Max(peak, step.Step > 1 ? LiveTensors.Now : 0)),
            };
            CapitalTask.Fit(options: options, rows: CapitalTask.Rows(4 * steps)).Dispose();
            return peak - before;
        }
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Fit_Cancelled_LeavesNothing(FineTuningMethod method)
    {
        using var cancellation = new CancellationTokenSource();
        var options = CapitalTask.Options with
        {
            MaxEpochs = 3,
            Progress = new OnStep(step => { if (step.Epoch == 2) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        };
        AssertFailsClean<OperationCanceledException>(() => CapitalTask.Fit(method, options), CapitalTask.ParameterCount(method));
    }

    [Fact]
    public void Fit_Diverged_LeavesNothing() => AssertFailsClean<TrainingDivergedException>(
        () => CapitalTask.Fit(FineTuningMethod.Full, Divergence.Sudden), CapitalTask.ParameterCount(FineTuningMethod.Full));

    [Fact]
    public void Fit_OfBadData_LeavesNothing() =>
        AssertFailsClean<ArgumentException>(() => CapitalTask.Fit(rows: [.. CapitalTask.Rows(30).Where(row => row.Label == "ant")]), parametersMade: 0);

    private static void AssertFailsClean<T>(Func<object> fit, int parametersMade) where T : Exception
    {
        var before = LiveTensors.Settled();
        Assert.ThrowsAny<T>(fit);
        Assert.Equal(before + parametersMade, LiveTensors.Now);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    private static class Divergence
    {
        public static TextClassificationOptions Sudden => CapitalTask.Options with
        {
            LearningRate = 1000, WeightDecay = 1000, MaxGradientNorm = null, MaxEpochs = 20, WarmupRatio = 0,
        };
    }
}

/// <summary>Calls back on the training thread, unlike Progress&lt;T&gt;.</summary>
internal sealed class OnStep(Action<TrainingProgress> act) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => act(value);
}
