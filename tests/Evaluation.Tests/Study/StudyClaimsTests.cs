namespace MLNetLoRA.Evaluation.Tests.Study;

public sealed class StudyClaimsTests
{
    private static readonly int[] Seeds = [1, 2, 3];
    private static readonly double[] Rates = [1e-3, 2e-3, 4e-3];

    [Theory]
    [InlineData(0, 12, StudyVerdict.Agree)]
    [InlineData(2, 12, StudyVerdict.Disagree)]
    [InlineData(0, 0, StudyVerdict.Disagree)]
    public void Claim_LoraHasIntruders_FollowsTheCounts(int full, int lora, StudyVerdict expected)
    {
        var report = Studies.Of(Studies.Made(StudyTuning.Full, 1e-4, 1, 0.8, 0.2, full), Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 0.2, lora));

        Assert.Equal(expected, report.Claim("LoRA has intruder dimensions").Verdict);
        Assert.Contains($"full {full}; LoRA r 8 {lora}", report.Claim("LoRA has intruder dimensions").Ours, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, StudyVerdict.Agree)]
    [InlineData(4, StudyVerdict.Disagree)]        // 8 of 40 vectors at ε 0.9
    public void Claim_FullHasNoneAtAnyThreshold_LooksAtTheHighOnes(int intruders, StudyVerdict expected) =>
        Assert.Equal(expected, Studies.Of(Studies.Made(StudyTuning.Full, 1e-4, 1, 0.8, 0.2, intruders)).Claim("Full fine-tuning has almost none").Verdict);

    [Fact]
    public void Claim_HighRankHasFewer_ComparesWithTheWorstLowRank()
    {
        Assert.Equal(StudyVerdict.Agree, WithHighRank(4).Claim("With alpha 2r, high ranks").Verdict);
        Assert.Equal(StudyVerdict.Disagree, WithHighRank(5).Claim("With alpha 2r, high ranks").Verdict);

        static StudyReport WithHighRank(int intruders) => Studies.Of(
            Studies.Made(StudyTuning.Lora(1), 1e-3, 1, 0.8, 0.2, 3), Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 0.2, 10), Studies.Made(StudyTuning.Lora(64), 1e-3, 1, 0.8, 0.2, intruders));
    }

    [Theory]
    [InlineData(8, 30, StudyVerdict.Agree)]
    [InlineData(1, 30, StudyVerdict.Disagree)]
    [InlineData(8, 70, StudyVerdict.Disagree)]
    public void Claims_SmallAlpha_AreJudgedAtTheHighestRank(int intruders, double effectiveRank, StudyVerdict expected)
    {
        var report = Studies.Of(
            Studies.Made(StudyTuning.Full, 1e-4, 1, 0.8, 0.2, 0, effectiveRank: 100), Studies.Made(StudyTuning.Lora(64), 1e-3, 1, 0.8, 0.2, 2, effectiveRank: 50),
            Studies.Made(StudyTuning.Lora(4), 1e-3, 1, 0.8, 0.2, 6, effectiveRank: 3), Studies.Made(StudyTuning.Lora(64, 8), 1e-3, 1, 0.8, 0.2, intruders, effectiveRank: effectiveRank));

        var (many, low) = (report.Claim("With alpha 8, intruders").Verdict, report.Claim("Effective rank").Verdict);
        Assert.Equal(intruders > 2 ? StudyVerdict.Agree : StudyVerdict.Disagree, many);
        Assert.Equal(effectiveRank < 50 ? StudyVerdict.Agree : StudyVerdict.Disagree, low);
        Assert.Equal(expected is StudyVerdict.Agree, (many, low) == (StudyVerdict.Agree, StudyVerdict.Agree));
    }

    [Theory]
    [InlineData(1, StudyVerdict.Agree)]
    [InlineData(-1, StudyVerdict.Disagree)]
    public void Claims_OfASweep_FollowTheOrder(int direction, StudyVerdict expected)
    {
        List<StudyRun> runs = [];
        foreach (var (place, rate) in Rates.Index())
            foreach (var seed in Seeds)
                runs.Add(Studies.Made(StudyTuning.Lora(8), rate, seed, 0.8, 1 + (direction * 0.1 * place) + (0.001 * seed), 20 + (direction * 4 * place)));
        var report = Studies.Of(runs);

        // Counts go with forgetting in either case; with the rate only in one.
        Assert.Equal(StudyVerdict.Agree, report.Claim("The number of intruders goes with").Verdict);
        Assert.Equal(expected, report.Claim("A higher learning rate").Verdict);
        Assert.Equal(["all runs", "all LoRA runs", "LoRA r 8, α 16, all rates"], report.Correlations.Select(correlation => correlation.Over).Distinct());
        Assert.All(report.Correlations.Where(correlation => correlation.Measure == "intruders"), correlation => Assert.True(correlation.WithForgetting.Coefficient > 0.9));
        Assert.All(report.Correlations.Where(correlation => correlation.Measure == "‖ΔW‖"), correlation => Assert.Equal(double.NaN, correlation.WithForgetting.Coefficient));
    }

    [Theory]
    [InlineData(4, 10, StudyVerdict.Agree)]
    [InlineData(6, 10, StudyVerdict.Disagree)]
    [InlineData(0, 0, StudyVerdict.NotMeasurable)]
    public void Claim_OnlyB_IsComparedWithTheSameRank(int onlyB, int both, StudyVerdict expected) => Assert.Equal(expected, Studies.Of(
        Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 0.2, both), Studies.Made(StudyTuning.Lora(8, trainsOnlyB: true), 1e-3, 1, 0.8, 0.2, onlyB)).Claim("Training only B").Verdict);

    [Theory]
    [InlineData(2, 6, StudyVerdict.Agree)]
    [InlineData(6, 2, StudyVerdict.Disagree)]
    [InlineData(0, 0, StudyVerdict.NotMeasurable)]
    public void Claim_TheyGrow_ComparesFirstWithLast(int first, int last, StudyVerdict expected) => Assert.Equal(expected, Studies.Of(
        Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 0.2, last, growth: [new(1, first, first / 40.0, 1), new(2, last, last / 40.0, 2)])).Claim("Intruders grow").Verdict);

    [Theory]
    [InlineData(0.79, StudyVerdict.Agree)]
    [InlineData(0.77, StudyVerdict.Disagree)]
    public void Claim_SameAccuracy_AllowsTwoPoints(double lora, StudyVerdict expected) => Assert.Equal(expected, Studies.Of(
        Studies.Made(StudyTuning.Full, 1e-4, 1, 0.8, 0.2, 0), Studies.Made(StudyTuning.Lora(8), 1e-3, 1, lora, 0.2, 5)).Claim("LoRA and full fine-tuning reach").Verdict);

    [Theory]
    [InlineData(0.1, StudyVerdict.Agree)]
    [InlineData(0.3, StudyVerdict.Disagree)]
    public void Claim_LoraForgetsLess_NeedsAClearDifference(double lora, StudyVerdict expected)
    {
        List<StudyRun> runs = [];
        foreach (var seed in Seeds)
        {
            runs.Add(Studies.Made(StudyTuning.Full, 1e-4, seed, 0.8, 0.3 + (0.01 * seed), 0));
            runs.Add(Studies.Made(StudyTuning.Lora(8), 1e-3, seed, 0.8, lora + (0.02 * seed), 5));
        }

        Assert.Equal(expected, Studies.Of(runs).Claim("LoRA forgets less").Verdict);
        Assert.Equal(StudyVerdict.NotMeasurable, Studies.Of([.. runs.Where(run => run.Seed == 1)]).Claim("LoRA forgets less").Verdict);
    }

    [Theory]
    [InlineData(0.7, 0.8, 1.1, 0.5, StudyVerdict.Agree, StudyVerdict.Agree, StudyVerdict.Agree)]
    [InlineData(0.99, 0.8, 0.9, 1.3, StudyVerdict.Disagree, StudyVerdict.Disagree, StudyVerdict.Disagree)]
    [InlineData(0.7, 0.7, 1.1, 0.5, StudyVerdict.Disagree, StudyVerdict.Agree, StudyVerdict.Agree)]
    public void Claims_OfRepairs_FollowTheCurve(
        double topLeft, double topAccuracy, double neighbourLeft, double uniformLeft, StudyVerdict gives, StudyVerdict neighbour, StudyVerdict uniform)
    {
        var report = Studies.Of(Studies.Made(StudyTuning.Lora(8), 1e-3, 1, 0.8, 1, 5, repair: Curve(topLeft, topAccuracy, neighbourLeft, uniformLeft)));

        Assert.Equal(gives, report.Claim("Scaling the top intruder").Verdict);
        Assert.Equal(neighbour, report.Claim("Scaling the pretrained direction").Verdict);
        Assert.Equal(uniform, report.Claim("Shrinking the whole change").Verdict);
    }

    [Fact]
    public void Claims_WithoutRuns_OfTheirKind_AreNotMeasurable()
    {
        var report = Studies.Of(Studies.Made(StudyTuning.Full, 1e-4, 1, 0.8, 0.2, 0));

        Assert.All(report.Claims.Where(claim => !claim.Name.StartsWith("Full", StringComparison.Ordinal)), claim => Assert.Equal(StudyVerdict.NotMeasurable, claim.Verdict));
        Assert.All(report.Claims, claim => Assert.DoesNotContain("NaN", claim.Ours, StringComparison.Ordinal));
    }

    private static RepairCurve Curve(double topLeft, double topAccuracy, double neighbourLeft, double uniformLeft) => new()
    {
        Unscaled = new ForgettingReport
        {
            BaseName = "nobody", Measure = RetentionMeasure.Sampled, Positions = 100, MaxTokens = 16, Seed = 1, Corpora = [], BaseLoss = 1, TunedLoss = 2, Forgetting = 1,
            StandardError = 0.01, Interval = new ConfidenceInterval(0.98, 1.02), Seconds = 1,
        },
        UnscaledTask = new TaskMetric(0.8, 0.2),
        AccuracyTolerance = 0.005,
        IntruderCount = 5,
        Points =
        [
            new RepairPoint(RepairMethod.Top, 0.7, topLeft, 0.01, topLeft, topAccuracy, 0.2),
            new RepairPoint(RepairMethod.Neighbour, 0.7, neighbourLeft, 0.01, neighbourLeft, 0.8, 0.2),
        ],
        AtEqualTask = [new RepairAtEqualTask(RepairMethod.Top, 0.7, topLeft, topLeft), new RepairAtEqualTask(RepairMethod.UniformGlobal, 0.7, uniformLeft, uniformLeft)],
        Recommended = null,
        Conclusion = "",
        Seconds = 1,
    };
}
