using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Training;

namespace MLNetLoRA.Cli.Tests.Training;

public class StepProgressTests
{
    [Fact]
    public void Report_EveryHalfMinute_SaysTheMeanLossSinceTheLastLine()
    {
        var lines = new List<string>();
        var clock = new ManualClock();
        var progress = new StepProgress(new WorkProgress(lines.Add), clock);

        // A step takes ten seconds and its loss is its number: lines after the fourth and the seventh.
        for (var step = 1; step <= 8; step++)
        {
            progress.Report(new TrainingProgress(1, 1, step, 100, step, 0.001, 0));
            clock.Seconds += 10;
        }

        Assert.Equal(
            [
                "Step 4 of 100: training loss 2.5000, the mean of the last 4, learning rate 0.001.",
                "Step 7 of 100: training loss 6.0000, the mean of the last 3, learning rate 0.001.",
            ], lines);
    }

    private sealed class ManualClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
