namespace MLNetLoRA.Cli.Studying;

/// <summary>The task of a study: two tables with the same columns.</summary>
internal sealed record StudyTaskPart : SettingsPart
{
    /// <summary>File with the rows to learn from.</summary>
    public required string Train { get; init; }

    /// <summary>File with the rows that judge.</summary>
    public required string Test { get; init; }

    /// <summary>The column with the class.</summary>
    public required string Label { get; init; }

    /// <summary>The column with the text.</summary>
    public required string Text { get; init; }

    /// <summary>The column with the second text.</summary>
    public string? TextPair { get; init; }

    /// <summary>How many training rows to read; null for all.</summary>
    public int? Limit { get; init; }
}

/// <summary>Retention texts of a study.</summary>
internal sealed record StudyTextsPart : SettingsPart
{
    /// <summary>What reports call them; the file's name when not given.</summary>
    public string? Name { get; init; }

    /// <summary>A plain text file; a blank line ends a document.</summary>
    public required string Path { get; init; }

    /// <summary>Their share; equal shares when none is given.</summary>
    public double? Weight { get; init; }
}

/// <summary>A training of a study.</summary>
internal sealed record StudyVariantPart : SettingsPart
{
    private const string Lora = "lora";
    private const string Full = "full";

    /// <summary>lora or full.</summary>
    public required string Method { get; init; }

    /// <summary>LoRA's rank.</summary>
    public int? Rank { get; init; }

    /// <summary>LoRA's alpha; 2 · rank when not given.</summary>
    public double? Alpha { get; init; }

    /// <summary>Whether only B is trained, with an orthonormal A.</summary>
    public bool? OnlyB { get; init; }

    /// <summary>Learning rates; the base's own recommendation when not given.</summary>
    public IReadOnlyList<double>? LearningRates { get; init; }

    /// <summary>Whether repairs are measured, for the first rate and seed.</summary>
    public bool Repair { get; init; }

    /// <summary>Whether intruders are counted after each epoch, for the first rate and seed.</summary>
    public bool Growth { get; init; }

    /// <summary>The training as the library takes it; without faults.</summary>
    public StudyVariant ToVariant() => new(Method == Full ? StudyTuning.Full : StudyTuning.Lora(Rank ?? new LoraOptions().Rank, Alpha, OnlyB ?? false))
    {
        LearningRates = LearningRates ?? [], MeasuresRepair = Repair, MeasuresGrowth = Growth,
    };

    /// <summary>What the library cannot say.</summary>
    public IEnumerable<string> Faults(string place)
    {
        if (Method is not (Lora or Full)) yield return $"'{place}method' is '{Method}'; use {Lora} or {Full}.";
        if (Method == Full && (Rank is not null || Alpha is not null || OnlyB is not null)) yield return $"'{place}rank', 'alpha' and 'only_b' have no effect with method {Full}; leave them out.";
        if (LearningRates is { Count: 0 }) yield return $"'{place}learning_rates' is empty; name at least one, or leave it out for the base's own.";
    }
}

/// <summary>What all trainings of a study have in common.</summary>
internal sealed record StudyTrainingPart : SettingsPart
{
    /// <summary>Passes over the training rows.</summary>
    public int? Epochs { get; init; }

    /// <summary>Rows in a step.</summary>
    public int? BatchSize { get; init; }

    /// <summary>Longer rows are cut to this.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>The linear maps that get an adapter.</summary>
    public IReadOnlyList<string>? Targets { get; init; }
}

/// <summary>How a study measures forgetting.</summary>
internal sealed record StudyForgettingPart : SettingsPart
{
    /// <summary>How many tokens are hidden.</summary>
    public int? Positions { get; init; }

    /// <summary>The longest window.</summary>
    public int? MaxTokens { get; init; }
}

/// <summary>What makes an intruder in a study.</summary>
internal sealed record StudySpectralPart : SettingsPart
{
    /// <summary>How many leading singular vectors are judged; claims at the first.</summary>
    public IReadOnlyList<int>? TopK { get; init; }

    /// <summary>Thresholds; claims at the first.</summary>
    public IReadOnlyList<double>? Epsilon { get; init; }
}

/// <summary>How a study measures repairs.</summary>
internal sealed record StudyRepairPart : SettingsPart
{
    /// <summary>What repairs multiply by.</summary>
    public IReadOnlyList<double>? Scales { get; init; }

    /// <summary>A plain text file for BalanceRetention, other than those of 'retention'; without it that repair is left out.</summary>
    public string? BalanceTexts { get; init; }

    /// <summary>The strengths of BalanceRetention.</summary>
    public IReadOnlyList<double>? BalanceStrengths { get; init; }

    /// <summary>How much accuracy a repair may cost.</summary>
    public double? AccuracyTolerance { get; init; }
}
