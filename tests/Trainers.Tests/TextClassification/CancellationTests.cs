using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

public class CancellationTests
{
    private const int StopAt = 3;

    [Fact]
    public void Fit_TokenCancelledAtAStep_TakesNoOtherStep()
    {
        using var cancellation = new CancellationTokenSource();
        var last = 0L;
        var options = CapitalTask.Options with
        {
            Progress = new OnStep(step => { if ((last = step.Step) == StopAt) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        };

        Assert.Throws<OperationCanceledException>(() => CapitalTask.Fit(options: options));

        Assert.Equal(StopAt, last);
    }

    [Fact]
    public void Fit_ContextCancelledAtAStep_TakesNoOtherStep()
    {
        var ml = new MLContext(1);
        var last = 0L;
        var options = CapitalTask.Options with { Progress = new OnStep(step => { if ((last = step.Step) == StopAt) ml.CancelExecution(); }) };
        var data = CapitalTask.Keyed(ml, CapitalTask.Rows(64));

        Assert.Throws<OperationCanceledException>(() => CapitalTask.Trainer(ml, options: options).Fit(data));

        Assert.Equal(StopAt, last);
    }

    [Fact]
    public void Fit_TokenCancelledBefore_TakesNoStep()
    {
        var steps = 0;
        var options = CapitalTask.Options with { Progress = new OnStep(_ => steps++), CancellationToken = new CancellationToken(canceled: true) };

        Assert.Throws<OperationCanceledException>(() => CapitalTask.Fit(options: options));

        Assert.Equal(0, steps);
    }

    [Fact]
    public void MaskedTraining_TokenCancelledAtAStep_TakesNoOtherStep()
    {
        using var cancellation = new CancellationTokenSource();
        var last = 0L;
        var options = new MaskedLanguageModelOptions
        {
            BatchSize = 1,
            Device = "cpu",
            Progress = new OnStep(step => { if ((last = step.Step) == StopAt) cancellation.Cancel(); }),
            CancellationToken = cancellation.Token,
        };

        Assert.Throws<OperationCanceledException>(() => new MaskedLanguageModelTrainer(CapitalTask.Base, options).Train(Enumerable.Repeat("some text", 99)));

        Assert.Equal(StopAt, last);
    }
}
