namespace MLNetLoRA.Evaluation.Tests.Repair;

public sealed class RepairComparisonTests
{
    // As it is: forgetting 1, accuracy 0.9. Wanted with tolerance 0.1: accuracy 0.8.
    private static readonly TaskMetric Task = new(0.9, 0.3);

    [Fact]
    public void AtEqualTask_AccuracyCrossesBetweenTwoScales_IsInterpolatedThere()
    {
        // From scale 1 (0.9, forgetting 1) to 0.5 (0.7, forgetting 0.4): 0.8 is halfway, at 0.75 with forgetting 0.7.
        var comparison = Compare(Point(RepairMethod.All, 0, 0.1, 0.5), Point(RepairMethod.All, 0.5, 0.4, 0.7));

        var found = comparison.AtEqualTask.Single(equal => equal.Which == RepairMethod.All);

        Assert.Equal(0.75, found.Scale, 1e-12);
        Assert.Equal(0.7, found.Forgetting, 1e-12);
        Assert.Equal(0.7, found.RelativeToUnscaled, 1e-12);
    }

    [Fact]
    public void Recommended_IsTheMeasuredPointOfLeastForgettingThatIsAccurateEnough()
    {
        var comparison = Compare(Point(RepairMethod.All, 0.5, 0.2, 0.79), Point(RepairMethod.All, 0.7, 0.6, 0.85), Point(RepairMethod.UniformGlobal, 0.3, 0.5, 0.81));

        Assert.Equal(new RepairChoice(RepairMethod.UniformGlobal, 0.3), comparison.Recommended);
    }

    [Fact]
    public void Recommended_NothingHelps_LeavesTheModelAsItIs()
    {
        var comparison = Compare(Point(RepairMethod.All, 0.5, 1.2, 0.9), Point(RepairMethod.UniformGlobal, 0.5, 0.3, 0.4));

        Assert.Equal(1, comparison.Recommended.Scale);
        Assert.Contains("the untouched model forgets least", comparison.Conclusion(intruderCount: 3), StringComparison.Ordinal);
        // The uniform curve still begins at the untouched model, so it crosses the wanted accuracy: 0.1 of 0.5 lost, one fifth of the way.
        Assert.Equal(1 - (0.7 * 0.2), comparison.AtEqualTask.Single(equal => equal.Which == RepairMethod.UniformGlobal).Forgetting, 1e-12);
    }

    [Theory]
    [InlineData(0.3, "uniform shrinking does better")]
    [InlineData(0.59, "uniform shrinking does as well")]
    [InlineData(0.9, "scaling intruders does better")]
    public void Conclusion_UniformAgainstIntruders_IsSaidPlainly(double uniform, string expected)
    {
        var comparison = Compare(Point(RepairMethod.All, 0.5, 0.6, 0.85), Point(RepairMethod.UniformGlobal, 0.5, uniform, 0.85));

        Assert.Contains(expected, comparison.Conclusion(intruderCount: 3), StringComparison.Ordinal);
        Assert.Contains("No intruder dimension was found", comparison.Conclusion(intruderCount: 0), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.3, "balancing leaves 0.3000 nats, shrinking the whole change by one factor 0.6000: balancing does better")]
    [InlineData(0.57, "uniform shrinking does as well")]
    [InlineData(0.9, "uniform shrinking does better")]
    public void Conclusion_BalanceAgainstUniform_IsSaidPlainly(double balanced, string expected)
    {
        var comparison = Compare(Point(RepairMethod.Balance, 2, balanced, 0.85), Point(RepairMethod.UniformGlobal, 0.5, 0.6, 0.85));

        Assert.Contains(expected, comparison.Conclusion(intruderCount: 3), StringComparison.Ordinal);
    }

    [Fact]
    public void AtEqualTask_Balance_BeginsAtStrengthZero()
    {
        // From strength 0 (0.9, forgetting 1) to 2 (0.7, forgetting 0.2): 0.8 is halfway.
        var found = Compare(Point(RepairMethod.Balance, 2, 0.2, 0.7)).AtEqualTask.Single();

        Assert.Equal(1, found.Scale, 1e-12);
        Assert.Equal(0.6, found.Forgetting, 1e-12);
    }

    [Fact]
    public void AtEqualTask_MethodThatChangesNothing_StaysAtTheUntouchedScale()
    {
        var comparison = Compare(Point(RepairMethod.All, 0, 1, 0.9), Point(RepairMethod.All, 0.5, 1, 0.9));

        Assert.Equal((1, 1), (comparison.AtEqualTask.Single().Scale, comparison.AtEqualTask.Single().Forgetting));
    }

    [Fact]
    public void Conclusion_ForgettingWithinItsError_SaysSo()
    {
        var comparison = Compare(new ConfidenceInterval(-0.1, 2), Point(RepairMethod.All, 0.5, 0.5, 0.9));

        Assert.StartsWith("What fine-tuning made the model forget cannot be told from nothing here", comparison.Conclusion(intruderCount: 1), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-0.3, -0.1)]
    [InlineData(0, 0)]
    public void Conclusion_NothingForgottenForSure_DoesNotAskForMorePositions(double lower, double upper)
    {
        var conclusion = Compare(new ConfidenceInterval(lower, upper), Point(RepairMethod.All, 0.5, 0.5, 0.9)).Conclusion(intruderCount: 1);

        Assert.StartsWith("Fine-tuning made the model forget nothing of this text", conclusion, StringComparison.Ordinal);
        Assert.DoesNotContain("take more positions", conclusion, StringComparison.Ordinal);
    }

    private static RepairPoint Point(RepairMethod which, double scale, double forgetting, double accuracy) => new(which, scale, forgetting, 0.05, forgetting, accuracy, 0.3);

    private static RepairComparison Compare(params RepairPoint[] points) => Compare(new ConfidenceInterval(0.9, 1.1), points);

    private static RepairComparison Compare(ConfidenceInterval interval, params RepairPoint[] points) => new(
        new ForgettingReport
        {
            BaseName = "b", Measure = RetentionMeasure.Sampled, Positions = 10, MaxTokens = 128, Seed = 1, Corpora = [], BaseLoss = 2, TunedLoss = 3,
            Forgetting = 1, StandardError = 0.05, Interval = interval, Seconds = 1,
        },
        Task, 0.1, points, points.Select(point => point.Which).Distinct().ToDictionary(which => which, which => which is RepairMethod.Balance ? 0.0 : 1.0));
}
