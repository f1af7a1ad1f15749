using System.Text.Json;
using System.Text.RegularExpressions;
using MLNetLoRA.Cli.Forgetting;

namespace MLNetLoRA.Cli.Studying;

/// <summary>A settings file of mlnet-lora study.</summary>
internal sealed partial record StudyFile : SettingsPart
{
    private const long LargestFile = 1 << 20;

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, AllowDuplicateProperties = false, MaxDepth = 8, RespectNullableAnnotations = true,
        ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true,
    };

    // The library's names of settings, as this file spells them.
    private static readonly (string Option, string Field)[] Names =
    [
        ("Training: MaxEpochs", "training.epochs"), ("MaxEpochs", "training.epochs"), ("BatchSize", "batch_size"), ("MaxTokens", "max_tokens"), ("LearningRates", "learning_rates"),
        ("LearningRate", "learning_rates"), ("Lora.Rank", "rank"), ("Lora.Alpha", "alpha"), ("TargetModules", "targets"), ("Lora.TargetModules", "targets"),
        ("Variants", "variants"), ("Seeds", "seeds"), ("Positions", "positions"), ("Scales", "scales"), ("AccuracyTolerance", "accuracy_tolerance"), ("TopK", "top_k"),
        ("Epsilon", "epsilon"), ("BalanceStrengths", "repair.balance_strengths"), ("Forgetting", "forgetting"), ("Spectral", "spectral"), ("Repair", "repair"), ("RunsFolder", "--runs"), ("Device", "--device"),
    ];

    /// <summary>A checkpoint folder, or mini-encoder.</summary>
    public required string Base { get; init; }

    /// <summary>The task.</summary>
    public required StudyTaskPart Task { get; init; }

    /// <summary>Retention texts.</summary>
    public required IReadOnlyList<StudyTextsPart> Retention { get; init; }

    /// <summary>What is trained; without it the trainings of the paper.</summary>
    public IReadOnlyList<StudyVariantPart>? Variants { get; init; }

    /// <summary>Seeds of the trainings.</summary>
    public IReadOnlyList<int>? Seeds { get; init; }

    /// <summary>What all trainings have in common.</summary>
    public StudyTrainingPart Training { get; init; } = new();

    /// <summary>How forgetting is measured.</summary>
    public StudyForgettingPart Forgetting { get; init; } = new();

    /// <summary>What makes an intruder.</summary>
    public StudySpectralPart Spectral { get; init; } = new();

    /// <summary>How repairs are measured.</summary>
    public StudyRepairPart Repair { get; init; } = new();

    /// <summary>Reads the file. Paths in it are relative to its folder.</summary>
    /// <exception cref="BadInputException">It is no such file; every unknown field is named.</exception>
    public static StudyFile Read(string path)
    {
        if (!File.Exists(path)) throw new BadInputException($"{path}: there is no such file; name a JSON file with the study's settings.");
        if (new FileInfo(path).Length > LargestFile) throw new BadInputException($"{path}: the file is larger than {LargestFile >> 10} KiB; settings were wanted.");
        try
        {
            var file = JsonSerializer.Deserialize<StudyFile>(File.ReadAllBytes(path), Format) ?? throw new BadInputException($"{path}: the JSON holds null; an object was wanted.");
            List<string> faults = [.. file.Faults()];
            return faults.Count == 0 ? file : throw new BadInputException($"{path}: {string.Join(" ", faults)}");
        }
        catch (JsonException error)
        {
            throw new BadInputException($"{path}: the settings cannot be read{Where(error)}: {WhatOf(error)}", error);
        }
    }

    /// <summary>A path of the file, from where the program runs.</summary>
    public static string PathFrom(string settings, string path) => Path.Combine(Path.GetDirectoryName(settings) ?? "", path);

    /// <summary>The settings as the library takes them.</summary>
    public StudySettings ToSettings(PretrainedModel model, IReadOnlyList<string> balanceTexts, string? runs, string? device)
    {
        var (defaults, training, forgetting, spectral) = (new StudySettings(), new TextClassificationOptions(), new ForgettingOptions(), new StudySettings().Spectral);
        return defaults with
        {
            Variants = Variants is null ? StudySettings.PaperVariants(model) : [.. Variants.Select(variant => variant.ToVariant())],
            Seeds = Seeds ?? defaults.Seeds,
            Training = training with
            {
                LabelColumnName = Task.Label,
                Sentence1ColumnName = Task.Text,
                Sentence2ColumnName = Task.TextPair,
                MaxEpochs = Training.Epochs ?? training.MaxEpochs,
                BatchSize = Training.BatchSize ?? training.BatchSize,
                MaxTokens = Training.MaxTokens,
                Device = device,
                Lora = Training.Targets is { } targets ? training.Lora with { TargetModules = targets } : training.Lora,
            },
            Forgetting = forgetting with { Positions = Forgetting.Positions ?? forgetting.Positions, MaxTokens = Forgetting.MaxTokens, Device = device },
            Spectral = spectral with { TopK = Spectral.TopK ?? spectral.TopK, Epsilon = Spectral.Epsilon ?? spectral.Epsilon },
            Repair = defaults.Repair with
            {
                Scales = Repair.Scales ?? defaults.Repair.Scales, AccuracyTolerance = Repair.AccuracyTolerance ?? defaults.Repair.AccuracyTolerance,
            },
            BalanceTexts = balanceTexts,
            BalanceStrengths = Repair.BalanceStrengths ?? defaults.BalanceStrengths,
            RunsFolder = runs,
        };
    }

    /// <summary>Retention texts, read.</summary>
    public IReadOnlyList<RetentionCorpus> ReadRetention(string settings) =>
        [.. Retention.Select(texts => RetentionFile.Read(new CorpusArgument(texts.Name ?? Path.GetFileNameWithoutExtension(texts.Path), PathFrom(settings, texts.Path), texts.Weight)))];

    /// <summary>What BalanceRetention may read; empty where no file is named.</summary>
    public IReadOnlyList<string> ReadBalanceTexts(string settings) => Repair.BalanceTexts is { } path ? RetentionFile.Read(new CorpusArgument("balance", PathFrom(settings, path), null)).Texts : [];

    /// <summary>A library's message in the words of this file.</summary>
    public static string AsTyped(string message)
    {
        message = Component().Replace(message, "");
        foreach (var (option, field) in Names) message = Regex.Replace(message, $@"(?<![\w.]){Regex.Escape(option)}\b", field);
        return message;
    }

    private IEnumerable<string> Faults()
    {
        foreach (var fault in UnknownFaults("").Concat(Task.UnknownFaults("task.")).Concat(Training.UnknownFaults("training."))
                     .Concat(Forgetting.UnknownFaults("forgetting.")).Concat(Spectral.UnknownFaults("spectral.")).Concat(Repair.UnknownFaults("repair.")))
            yield return fault;
        foreach (var (index, texts) in Retention.Index())
            foreach (var fault in texts.UnknownFaults($"retention[{index}].")) yield return fault;
        foreach (var (index, variant) in (Variants ?? []).Index())
            foreach (var fault in variant.UnknownFaults($"variants[{index}].").Concat(variant.Faults($"variants[{index}]."))) yield return fault;
        if (Retention.Count == 0) yield return "'retention' is empty; name at least one text.";
    }

    private static string Where(JsonException error) => error.LineNumber is { } line ? $", line {line + 1}{(error.Path is { } place and not "$" ? $" at {place}" : "")}" : "";

    // The rest of the message repeats the place and names types of this program.
    private static string WhatOf(JsonException error) => error.InnerException?.Message ?? ProgramTypes().Replace(error.Message.Split(" Path: ")[0], "");

    [GeneratedRegex("^(RunStudy|EvaluateForgetting|EvaluateRepair): ")]
    private static partial Regex Component();

    [GeneratedRegex(@" for type '[^']*'| to [A-Z]\w*(\.[\w`\[\],]+)+")]
    private static partial Regex ProgramTypes();
}
