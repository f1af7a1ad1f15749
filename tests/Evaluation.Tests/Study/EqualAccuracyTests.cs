namespace MLNetLoRA.Evaluation.Tests.Study;

public sealed class EqualAccuracyTests
{
    [Fact]
    public void LeastForgetting_BetweenTwoRates_IsOnTheLine()
    {
        (double, double)[] path = [(0.6, 0.1), (0.8, 0.5), (0.7, 2)];

        // Half way up the first line; the second line crosses 0.75 at 1.25.
        Assert.Equal(0.4, EqualAccuracy.LeastForgetting(path, 0.75), 12);
        Assert.Equal(0.1, EqualAccuracy.LeastForgetting(path, 0.6), 12);
        Assert.Equal(0.5, EqualAccuracy.LeastForgetting(path, 0.8), 12);
    }

    [Fact]
    public void OfBalance_StartsAtTheUntouchedModel()
    {
        StudyBalance[] points = [new(1, new TaskMetric(0.7, 1), 0.2, 0.01), new(2, new TaskMetric(0.5, 1), 0.1, 0.01)];
        var run = Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 0.6, 4, balance: points);

        Assert.Equal(0.4, EqualAccuracy.OfBalance(run, 0.75)!.Value, 12);
        Assert.Equal(0.15, EqualAccuracy.OfBalance(run, 0.6)!.Value, 12);
        Assert.Null(EqualAccuracy.OfBalance(run, 0.81));
        Assert.Null(EqualAccuracy.OfBalance(run with { Balance = [] }, 0.5));
    }

    [Fact]
    public void Compare_TwoSeeds_PairsThemAtTheAccuracyThatBothReach()
    {
        var lora = StudyTuning.Lora(8);
        StudyRun[] runs =
        [
            Studies.Made(StudyTuning.Full, 1e-4, 1, 0.6, 0.2, 0), Studies.Made(StudyTuning.Full, 2e-4, 1, 0.8, 0.6, 0), Studies.Made(lora, 1e-3, 1, 0.7, 0.1, 4),
            Studies.Made(StudyTuning.Full, 1e-4, 2, 0.6, 0.3, 0), Studies.Made(StudyTuning.Full, 2e-4, 2, 0.8, 0.7, 0), Studies.Made(lora, 1e-3, 2, 0.7, 0.3, 4),
            Studies.Made(lora, 1e-3, 3, 0.9, 9, 4),
        ];

        var compared = EqualAccuracy.Compare(lora, runs)!;

        Assert.Equal(2, compared.Seeds);
        Assert.Equal(0.7, compared.Accuracy, 12);
        Assert.Equal(0.45, compared.FullForgetting, 12);      // (0.4 + 0.5) / 2
        Assert.Equal(0.2, compared.Forgetting, 12);           // (0.1 + 0.3) / 2
        Assert.Equal(-0.25, compared.Difference, 12);         // -0.3 and -0.2
        Assert.Equal(0.05, compared.StandardError, 12);
        Assert.Null(EqualAccuracy.Compare(StudyTuning.Lora(1), runs));
    }
}
