namespace MLNetLoRA;

/// <summary>All settings of RunStudy: which trainings, and what is measured of each.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record StudySettings
{
    /// <summary>The trainings; one run for each, each of its learning rates and each seed.</summary>
    /// <value>At least one, none twice; default: full fine-tuning and LoRA of rank 8.</value>
    public IReadOnlyList<StudyVariant> Variants { get; init; } = [new(StudyTuning.Full), new(StudyTuning.Lora(8))];

    /// <summary>Seeds of the trainings.</summary>
    /// <value>At least one, none twice; default 1, 2, 3. Differences are judged by their spread over seeds.</value>
    public IReadOnlyList<int> Seeds { get; init; } = [1, 2, 3];

    /// <summary>What all trainings have in common.</summary>
    /// <value>
    /// Default: every setting at its own default. Rate, seed, rank and alpha are the variants' and not read here; ValidationSet and InitialModel
    /// must be null, ValidationFraction 0: every run has to see the same rows equally often.
    /// </value>
    public TextClassificationOptions Training { get; init; } = new();

    /// <summary>How forgetting is measured; the same hidden tokens for all runs.</summary>
    /// <value>Default: every setting at its own default.</value>
    public ForgettingOptions Forgetting { get; init; } = new();

    /// <summary>What makes an intruder dimension: counts are given for the whole grid, claims are judged at its first values.</summary>
    /// <value>Default: k 10, 5 and 20; ε 0.5, then 0.3 to 0.9 in steps of 0.1.</value>
    public SpectralSettings Spectral { get; init; } = new() { TopK = [10, 5, 20], Epsilon = [0.5, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9] };

    /// <summary>How repairs are measured, for variants that ask for it.</summary>
    /// <value>Default: scales 0, 0.3, 0.5, 0.7, 0.9 and 1, all else at its own default. Its Forgetting, TestSet and LabelColumnName are the study's and not read.</value>
    public RepairCurveOptions Repair { get; init; } = new() { Scales = [0, 0.3, 0.5, 0.7, 0.9, 1] };

    /// <summary>Texts that BalanceRetention is given, for variants whose repairs are measured.</summary>
    /// <value>Others than the study's retention text, or nothing is learned of text that a repair has not seen; empty, the default, leaves it out.</value>
    public IReadOnlyList<string> BalanceTexts { get; init; } = [];

    /// <summary>The strengths at which it is measured.</summary>
    /// <value>Each above 0, none twice; default 0.1, 0.2, 0.5, 1, 2, 5.</value>
    public IReadOnlyList<double> BalanceStrengths { get; init; } = [0.1, 0.2, 0.5, 1, 2, 5];

    /// <summary>Where finished runs are kept, so that a study that was cut off goes on.</summary>
    /// <value>A folder, made where there is none; null, the default, keeps none. A run is found again by what it rests on: base, rows, texts and settings.</value>
    public string? RunsFolder { get; init; }

    /// <summary>Hears what begins.</summary>
    /// <value>Null, the default, for none.</value>
    public IProgress<string>? Progress { get; init; }

    /// <summary>Stops within one optimizer step, test pass or matrix, with an OperationCanceledException; finished runs are kept.</summary>
    /// <value>Default: never cancelled.</value>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>
    /// The trainings of arXiv 2410.21228: full fine-tuning and LoRA of rank 1, 8 and 64 over learning rates, LoRA of rank 1, 2, 4, 8, 16 and 64
    /// with alpha 2 · rank and with alpha 8, and only B with an orthonormal A.
    /// </summary>
    /// <remarks>
    /// Rates are half, once, twice and four times what the base's card recommends; alpha times rate is the same for all ranks, as in the paper.
    /// Repairs are measured for full, rank 1, 8 and 64; growth for full and rank 8.
    /// </remarks>
    /// <param name="model">Its card says the rates.</param>
    public static IReadOnlyList<StudyVariant> PaperVariants(PretrainedModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        // At the first, repairs and growth are measured; LoRA's is one at which intruders appear.
        double[] fullSweep = [1, 0.5, 2, 4], sweep = [2, 1, 0.5, 4];
        var full = new StudyVariant(StudyTuning.Full)
        {
            LearningRates = [.. fullSweep.Select(factor => factor * model.Card.FullLearningRate)], MeasuresRepair = true, MeasuresGrowth = true,
        };
        int[] ranks = [1, 2, 4, 8, 16, 64];
        var tunings = ranks.Select(rank => StudyTuning.Lora(rank)).Concat(ranks.Select(rank => StudyTuning.Lora(rank, 8))).Append(StudyTuning.Lora(8, trainsOnlyB: true));
        return [full, .. tunings.Distinct().Select(tuning => Lora(tuning))];

        StudyVariant Lora(StudyTuning tuning)
        {
            var isSwept = tuning.Alpha == 2 * tuning.Rank && tuning.Rank is 1 or 8 or 64;
            var rate = model.Card.LoraLearningRate(tuning.Alpha!.Value);
            return new StudyVariant(tuning)
            {
                LearningRates = isSwept || tuning.TrainsOnlyB ? [.. sweep.Select(factor => factor * rate)] : [rate],
                MeasuresRepair = isSwept && !tuning.TrainsOnlyB, MeasuresGrowth = isSwept && !tuning.TrainsOnlyB && tuning.Rank == 8,
            };
        }
    }

    internal IEnumerable<string> Faults(PretrainedModel model, int corpusCount)
    {
        if (Variants.Count == 0) yield return "Variants is empty; name at least one training.";
        foreach (var (tuning, count) in Variants.CountBy(variant => variant.Tuning))
            if (count > 1) yield return $"Variants holds '{tuning.Name}' {count} times; name it once, with all its learning rates.";
        foreach (var fault in Variants.SelectMany(variant => VariantFaults(variant, model)).Distinct()) yield return fault;
        if (Seeds.Count == 0) yield return "Seeds is empty; name at least one (usual: 1, 2, 3).";
        foreach (var (seed, count) in Seeds.CountBy(seed => seed))
            if (count > 1) yield return $"Seeds holds {seed} {count} times; name it once.";
        if (Training.ValidationSet is not null || Training.ValidationFraction > 0)
            yield return "Training has rows to validate on; leave them out, so that every run sees the same rows equally often.";
        if (Training.InitialModel is not null) yield return "Training.InitialModel is given; every run starts from the base.";
        foreach (var fault in Forgetting.Faults(model, corpusCount).Concat(Forgetting.ColumnFaults())) yield return $"Forgetting: {fault}";
        foreach (var fault in Spectral.Faults()) yield return $"Spectral: {fault}";
        foreach (var fault in Repair.Faults()) yield return $"Repair: {fault}";
        foreach (var (strength, count) in BalanceStrengths.CountBy(strength => strength))
            if (count > 1) yield return $"BalanceStrengths holds {strength} {count} times; name it once.";
        foreach (var strength in BalanceStrengths.Where(strength => !(strength > 0 && double.IsFinite(strength)))) yield return $"BalanceStrengths holds {strength}; use values above 0.";
        if (RunsFolder is { } folder && File.Exists(folder)) yield return $"RunsFolder is '{folder}', which is a file; name a folder.";
        if (!model.HasWeights) yield return $"'{model.Name}' has no pretrained weights, so there is nothing to be forgotten; give a checkpoint.";
    }

    private IEnumerable<string> VariantFaults(StudyVariant variant, PretrainedModel model)
    {
        var name = variant.Tuning.Name;
        foreach (var (rate, count) in variant.LearningRates.CountBy(rate => rate))
            if (count > 1) yield return $"{name}: LearningRates holds {rate} {count} times; name it once.";
        foreach (var rate in variant.LearningRates.DefaultIfEmpty(double.NaN))
            foreach (var fault in (variant.Tuning.Apply(Training) with { LearningRate = double.IsNaN(rate) && variant.LearningRates.Count == 0 ? null : rate }).Faults(model, variant.Tuning.Method))
                yield return $"{name}: {fault}";
    }
}
