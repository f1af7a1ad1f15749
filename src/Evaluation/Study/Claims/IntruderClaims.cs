using static MLNetLoRA.Evaluation.ClaimText;

namespace MLNetLoRA.Evaluation;

/// <summary>What the paper says of when intruder dimensions appear.</summary>
internal static class IntruderClaims
{
    // At least one in a whole model, on average over seeds.
    private const double Some = 1;

    // Full fine-tuning "has none" beside LoRA when it has at most this share of the least that LoRA has.
    private const double Beside = 0.1;

    // "Almost none": one in a hundred of the vectors judged.
    private const double AlmostNone = 0.01;

    private const double LargestEpsilon = 0.9;
    private const double Far = 0.5;
    private const double Significant = 0.05;

    public static IEnumerable<StudyClaim> Judge(StudyEvidence evidence)
    {
        yield return LoraHasThemFullHasNot(evidence);
        yield return FullHasNoneAtAnyThreshold(evidence);
        yield return HighRankHasFewer(evidence);
        yield return SmallAlphaHasThemAtEveryRank(evidence);
        yield return SmallAlphaHasLowEffectiveRank(evidence);
        yield return HigherRateMeansMore(evidence);
        yield return OnlyBMeansFewer(evidence);
        yield return TheyGrow(evidence);
    }

    private static StudyClaim LoraHasThemFullHasNot(StudyEvidence evidence)
    {
        var low = evidence.Lora.Where(point => point.Tuning.Rank <= StudyEvidence.LowRank).ToList();
        var (ours, verdict) = evidence.Full is { } full && low.Count > 0
            ? (Say($"mean intruders in all matrices: full {full.Intruders:0.#}; LoRA {ByRank(low, point => point.Intruders)}"),
                Verdict(low.All(point => point.Intruders >= Some) && full.Intruders <= Beside * low.Min(point => point.Intruders)))
            : ("full fine-tuning and LoRA of low rank were not both trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "LoRA has intruder dimensions, full fine-tuning has not", "Fig. 4", "RoBERTa-base, k 10, ε 0.5: many for r ≤ 16, none or hardly any in full fine-tuning", ours,
            Say($"agree: each rank up to {StudyEvidence.LowRank} has {Some} or more on average and full has at most {Beside:P0} of the least of them; each way at its most accurate rate"), verdict);
    }

    private static StudyClaim FullHasNoneAtAnyThreshold(StudyEvidence evidence)
    {
        var thresholds = evidence.Setup.Epsilon.Where(epsilon => epsilon is >= 0.6 and <= LargestEpsilon).Order().ToList();
        var (ours, verdict) = ("no full fine-tuning, or no threshold of 0.6 to 0.9, was measured", StudyVerdict.NotMeasurable);
        if (evidence.Full is { } full && thresholds.Count > 0)
        {
            var runs = evidence.RunsOf(full);
            var shares = thresholds.Select(epsilon => (Epsilon: epsilon, Share: runs.Average(run => ShareAt(run, epsilon, evidence.Setup.TopK[0])))).ToList();
            ours = string.Join(", ", shares.Select(one => Say($"ε {one.Epsilon:0.##}: {one.Share:P1} of the vectors judged")));
            verdict = Verdict(shares.All(one => one.Share <= AlmostNone));
        }
        return new StudyClaim(
            "Full fine-tuning has almost none at any threshold", "Fig. 4", "close to 0 for ε 0.6 to 0.9", ours,
            Say($"agree: at most {AlmostNone:P0} of the leading vectors at every threshold of 0.6 to {LargestEpsilon}; at full fine-tuning's most accurate rate"), verdict);
    }

    private static StudyClaim HighRankHasFewer(StudyEvidence evidence)
    {
        var (low, high) = (evidence.Lora.Where(point => point.Tuning.Rank <= StudyEvidence.LowRank).ToList(), evidence.Lora.LastOrDefault(point => point.Tuning.Rank > StudyEvidence.LowRank));
        var (ours, verdict) = high is not null && low.Count > 0
            ? (Say($"mean intruders: {ByRank([.. low, high], point => point.Intruders)}"), Verdict(high.Intruders < Far * low.Max(point => point.Intruders)))
            : ("no low and high rank with alpha 2r were trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "With alpha 2r, high ranks have few", "Fig. 4", "at r 64 hardly any", ours,
            Say($"agree: the highest rank above {StudyEvidence.LowRank} has less than {Far:P0} of the most that a lower rank has"), verdict);
    }

    private static StudyClaim SmallAlphaHasThemAtEveryRank(StudyEvidence evidence)
    {
        var points = evidence.LoraOfAlpha8;
        var high = points.LastOrDefault(point => point.Tuning.Rank > StudyEvidence.LowRank);
        var same = high is null ? null : evidence.Lora.FirstOrDefault(point => point.Tuning.Rank == high.Tuning.Rank);
        var (ours, verdict) = high is not null && same is not null
            ? (Say($"mean intruders with alpha 8: {ByRank(points, point => point.Intruders)}; with alpha 2r at r {same.Tuning.Rank}: {same.Intruders:0.#}"),
                Verdict(points.All(point => point.Intruders >= Some) && high.Intruders > same.Intruders))
            : ("no high rank with alpha 8 and with alpha 2r was trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "With alpha 8, intruders at every rank", "Fig. 14, 19", "high ranks have them too when alpha does not grow with the rank", ours,
            Say($"agree: every rank has {Some} or more on average, and the highest has more than with alpha 2r"), verdict);
    }

    private static StudyClaim SmallAlphaHasLowEffectiveRank(StudyEvidence evidence)
    {
        var (large, small) = (evidence.Lora.LastOrDefault(point => point.Tuning.Rank > StudyEvidence.LowRank), evidence.LoraOfAlpha8.LastOrDefault(point => point.Tuning.Rank > StudyEvidence.LowRank));
        var (ours, verdict) = evidence.Full is { } full && large is not null && small is not null && large.Tuning.Rank == small.Tuning.Rank
            ? (Say($"mean effective rank of ΔW: full {full.EffectiveRank:F1}, r {large.Tuning.Rank} with alpha 2r {large.EffectiveRank:F1}, with alpha 8 {small.EffectiveRank:F1}"),
                Verdict(full.EffectiveRank > large.EffectiveRank && large.EffectiveRank > small.EffectiveRank))
            : ("full, and a high rank with both alphas, were not all trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Effective rank: full above LoRA, alpha 2r above alpha 8", "Table 1", "full > 400, r 768 with alpha 2r > 100, with alpha 8 < 50", ours,
            "agree: the three are in this order, at the highest rank; each at its most accurate rate", verdict);
    }

    private static StudyClaim HigherRateMeansMore(StudyEvidence evidence)
    {
        var sweeps = evidence.SweptLora.Select(tuning => (tuning.Name, Correlation: OverRates([.. evidence.Runs.Where(run => run.Tuning == tuning)]))).ToList();
        var (ours, verdict) = sweeps.Count > 0
            ? (string.Join("; ", sweeps.Select(sweep => $"{sweep.Name}: {Of(sweep.Correlation)}")),
                Verdict(sweeps.All(sweep => sweep.Correlation is { Coefficient: > 0, PValue: < Significant })))
            : ("LoRA was not trained at three learning rates", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "A higher learning rate means more intruders", "App. A", "their number rises with the rate", ours,
            Say($"agree: Spearman's ρ of rate and count over runs is above 0 with p < {Significant} for every rank with three rates or more"), verdict);
    }

    private static StudyClaim OnlyBMeansFewer(StudyEvidence evidence)
    {
        var pairs = evidence.OnlyB.Select(only => (Only: only, Both: evidence.Best(only.Tuning with { TrainsOnlyB = false }))).Where(pair => pair.Both is not null).ToList();
        var (ours, verdict) = pairs.Count > 0
            ? (string.Join("; ", pairs.Select(pair => Say(
                $"r {pair.Only.Tuning.Rank}: {pair.Only.Intruders:0.#} at accuracy {pair.Only.Accuracy:F3}, with A trained {pair.Both!.Intruders:0.#} at {pair.Both.Accuracy:F3}"))),
                pairs.All(pair => pair.Both!.Intruders >= Some)
                    ? Verdict(pairs.All(pair => pair.Only.Intruders <= Far * pair.Both!.Intruders)) : StudyVerdict.NotMeasurable)
            : ("only B, and LoRA of the same rank, were not both trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Training only B, with an orthonormal A, means far fewer", "App. J", "far fewer intruders than with A and B trained", ours,
            Say($"agree: at most {Far:P0} of those with A trained, where there is {Some} or more; each at its most accurate rate"), verdict);
    }

    private static StudyClaim TheyGrow(StudyEvidence evidence)
    {
        var grown = evidence.Runs.Where(run => run.Tuning.Method is FineTuningMethod.Lora && run.Growth.Count > 1).ToList();
        var (ours, verdict) = grown.Count > 0
            ? (string.Join("; ", grown.Select(run => $"{run.Tuning.Name}: {string.Join(", ", run.Growth.Select(snapshot => snapshot.Intruders))} intruders after each epoch, energy share {string.Join(", ", run.Growth.Select(snapshot => Say($"{snapshot.EnergyShare:F3}")))}")),
                grown.All(run => run.Growth[^1].Intruders == 0) ? StudyVerdict.NotMeasurable
                    : Verdict(grown.All(run => run.Growth[^1].EnergyShare > run.Growth[0].EnergyShare && run.Growth[^1].Intruders >= run.Growth[0].Intruders)))
            : ("LoRA was not looked at while it was trained", StudyVerdict.NotMeasurable);
        return new StudyClaim(
            "Intruders grow during training", "Fig. 5", "their rank and singular values rise step by step", ours,
            "agree: after the last epoch they are no fewer, and hold a larger share of the leading energy, than after the first (constant rate)", verdict);
    }

    private static double ShareAt(StudyRun run, double epsilon, int topK) =>
        run.Counts.First(count => count.Epsilon == epsilon && count.TopK == topK).Intruders / (double)(topK * run.Matrices.Count);

    private static RankCorrelation OverRates(IReadOnlyList<StudyRun> runs) =>
        RankCorrelation.Spearman([.. runs.Select(run => run.LearningRate)], [.. runs.Select(run => (double)run.Intruders)]);
}
