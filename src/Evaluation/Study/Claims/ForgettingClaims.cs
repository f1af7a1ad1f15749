using static MLNetLoRA.Evaluation.ClaimText;

namespace MLNetLoRA.Evaluation;

/// <summary>What the paper says of forgetting.</summary>
internal static class ForgettingClaims
{
    // Two points of accuracy; the paper's own spread on MNLI is 0.7.
    private const double SameAccuracy = 0.02;

    // Standard errors beyond which a difference is taken for one.
    private const double Clear = 2;

    private const int PaperRank = 8;
    private const int FewestRuns = 5;
    private const double Significant = 0.05;

    public static IEnumerable<StudyClaim> Judge(StudyEvidence evidence)
    {
        yield return SameTaskAccuracy(evidence);
        yield return LoraForgetsLess(evidence);
        yield return IntrudersTrackForgetting(evidence);
    }

    private static StudyClaim SameTaskAccuracy(StudyEvidence evidence)
    {
        var (ours, verdict) = evidence.Full is { } full && evidence.Lora.Count > 0
            ? (Say($"full {full.Accuracy:F3}; LoRA {ByRank(evidence.Lora, point => point.Accuracy, "F3")}"),
                Verdict(evidence.Lora.All(point => Math.Abs(point.Accuracy - full.Accuracy) <= SameAccuracy)))
            : ("full fine-tuning and LoRA were not both trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "LoRA and full fine-tuning reach the same accuracy", "Table 2", "MNLI: full .8745, r 1 .8677, r 8 .8704, r 64 .8719", ours,
            Say($"agree: every rank with alpha 2r is within {SameAccuracy} of full, each at its most accurate rate"), verdict);
    }

    private static StudyClaim LoraForgetsLess(StudyEvidence evidence)
    {
        var compared = evidence.Comparisons.Where(comparison => StudyEvidence.IsLora(comparison.Tuning) && comparison.Seeds > 1).OrderBy(comparison => comparison.Tuning.Rank).ToList();
        var (ours, verdict) = compared.Count > 0
            ? (string.Join("; ", compared.Select(comparison => Say(
                $"r {comparison.Tuning.Rank} {comparison.Forgetting:F3}, full {comparison.FullForgetting:F3} (difference {comparison.Difference:+0.000;-0.000;0.000} ± {comparison.StandardError:F3}) at {comparison.Accuracy:F3}"))),
                Verdict(compared.All(comparison => comparison.Difference < -Clear * comparison.StandardError)))
            : ("full fine-tuning and LoRA were not both trained with two seeds or more", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "LoRA forgets less than full fine-tuning", "Fig. 6", "lower pseudo-loss on pretraining text for LoRA", ours,
            Say($"agree: at equal accuracy, by interpolation over learning rates, every rank with alpha 2r forgets less by more than {Clear} standard errors over seeds"), verdict);
    }

    private static StudyClaim IntrudersTrackForgetting(StudyEvidence evidence)
    {
        var tuning = evidence.SweptLora.Where(StudyEvidence.IsLora).OrderBy(tuning => Math.Abs(tuning.Rank!.Value - PaperRank)).FirstOrDefault();
        var runs = evidence.Runs.Where(run => run.Tuning == tuning).ToList();
        var (ours, verdict) = ("LoRA was not trained at three learning rates and five times", StudyVerdict.NotMeasurable);
        if (tuning is not null && runs.Count >= FewestRuns)
        {
            var correlation = RankCorrelation.Spearman([.. runs.Select(run => (double)run.Intruders)], [.. runs.Select(run => run.Forgetting)]);
            var norm = RankCorrelation.Spearman([.. runs.Select(run => run.DeltaFrobenius)], [.. runs.Select(run => run.Forgetting)]);
            ours = $"{tuning.Name}: {Of(correlation)}; ‖ΔW‖ with forgetting: {Of(norm)}";
            verdict = double.IsNaN(correlation.Coefficient) ? StudyVerdict.NotMeasurable : Verdict(correlation is { Coefficient: > 0, PValue: < Significant });
        }
        return new StudyClaim(
            "The number of intruders goes with forgetting", "Fig. 7, 11", "Spearman 0.971 over learning rates (RoBERTa-base, MNLI, r 8); 0.59 (LLaMA2)", ours,
            Say($"agree: ρ above 0 with p < {Significant} over the runs of the swept rank nearest to {PaperRank}"), verdict);
    }
}
