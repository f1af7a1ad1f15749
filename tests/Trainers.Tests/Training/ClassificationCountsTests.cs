namespace MLNetLoRA.Trainers.Tests.Training;

public class ClassificationCountsTests
{
    [Fact]
    public void Outcome_OfUnevenClasses_GivesMeansOverRowsAndOverClasses()
    {
        var counts = new ClassificationCounts(3);
        counts.Add([2, 0, 0], 0);
        counts.Add([2, 0, 0], 0);
        counts.Add([2, 0, 0], 0);
        counts.Add([2, 0, 0], 1);

        var outcome = counts.Outcome();

        var normalizer = Math.Log(Math.Exp(2) + 2);
        Assert.Equal((3 * (normalizer - 2) + normalizer) / 4, outcome.Loss, 1e-9);
        Assert.Equal(0.75, outcome.Accuracy);
        // Class 0 all right, class 1 all wrong, class 2 has no rows and no say.
        Assert.Equal(0.5, outcome.MacroAccuracy);
    }

    [Fact]
    public void Add_LargeLogits_DoNotOverflow()
    {
        var counts = new ClassificationCounts(2);
        counts.Add([1000, -1000], 1);

        Assert.Equal(2000, counts.Outcome().Loss, 1e-6);
    }

    [Theory]
    [InlineData(0.6, 1.0, 0.5, 0.1, true)]
    [InlineData(0.5, 0.9, 0.5, 1.0, true)]
    [InlineData(0.5, 1.0, 0.5, 1.0, false)]
    [InlineData(0.4, 0.1, 0.5, 1.0, false)]
    [InlineData(0.9, double.NaN, 0.5, 1.0, false)]
    public void IsBetterThan_ComparesAccuracyFirstAndThenLoss(double accuracy, double loss, double otherAccuracy, double otherLoss, bool better) =>
        Assert.Equal(better, new ValidationOutcome(loss, accuracy, accuracy).IsBetterThan(new ValidationOutcome(otherLoss, otherAccuracy, 0)));

    [Theory]
    [InlineData(0.9, 1.0, true)]
    [InlineData(1.0, 1.0, false)]
    public void IsBetterThan_WithoutAccuracy_ComparesLoss(double loss, double otherLoss, bool better) =>
        Assert.Equal(better, new ValidationOutcome(loss, null, null).IsBetterThan(new ValidationOutcome(otherLoss, null, null)));
}
