namespace MLNetLoRA.Trainers.Tests.Training;

public class LearningRateFactorTests
{
    [Fact]
    public void At_Linear_FallsInAStraightLineAfterWarmUp()
    {
        double[] expected = [0.5, 1, 1, 7.0 / 8, 6.0 / 8, 5.0 / 8, 4.0 / 8, 3.0 / 8, 2.0 / 8, 1.0 / 8];
        AssertFactors(expected, LearningRateSchedule.Linear, warmupRatio: 0.2);
    }

    [Fact]
    public void At_Cosine_FallsAlongHalfACosine()
    {
        double[] expected = [1, (1 + Math.Sqrt(0.5)) / 2, 0.5, (1 - Math.Sqrt(0.5)) / 2];
        AssertFactors(expected, LearningRateSchedule.Cosine, warmupRatio: 0);
    }

    [Fact]
    public void At_Constant_OnlyWarmsUp() => AssertFactors([0.25, 0.5, 0.75, 1, 1, 1, 1, 1], LearningRateSchedule.Constant, warmupRatio: 0.5);

    [Theory]
    [InlineData(LearningRateSchedule.Linear)]
    [InlineData(LearningRateSchedule.Cosine)]
    [InlineData(LearningRateSchedule.Constant)]
    public void At_WarmUpOverAllSteps_ReachesOneAtTheLast(LearningRateSchedule schedule) =>
        AssertFactors([0.25, 0.5, 0.75, 1], schedule, warmupRatio: 1);

    [Fact]
    public void At_ASingleStep_UsesTheFullRate() => AssertFactors([1], LearningRateSchedule.Linear, warmupRatio: 0.06);

    private static void AssertFactors(double[] expected, LearningRateSchedule schedule, double warmupRatio)
    {
        foreach (var (step, factor) in expected.Index())
            Assert.Equal(factor, LearningRateFactor.At(schedule, step, expected.Length, warmupRatio), 1e-12);
    }
}
