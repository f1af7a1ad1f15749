using System.Text.Json.Serialization;

namespace MLNetLoRA.Transforms;

/// <summary>What a saved balanced repair says about itself: balance.json in the model file.</summary>
internal sealed record BalanceHeader
{
    public required string ScoreColumnName { get; init; }
    public required double Strength { get; init; }
    public required long TaskTokens { get; init; }
    public required long RetentionTokens { get; init; }
    public required IReadOnlyList<BalancePlan> Plans { get; init; }
    public required IReadOnlyList<StrengthTrial> Trials { get; init; }

    /// <summary>The matrices that have a correction.</summary>
    public required IReadOnlyList<string> Corrected { get; init; }

    public required CorrectionForm Form { get; init; }

    public required string ModelFingerprint { get; init; }

    [JsonIgnore]
    public BalanceOutcome Outcome => new(ScoreColumnName, Strength, TaskTokens, RetentionTokens, Plans, Trials);

    public static BalanceHeader Of(BalanceOutcome outcome, ModelCorrections corrections) => new()
    {
        ScoreColumnName = outcome.ScoreColumnName,
        Strength = outcome.Strength,
        TaskTokens = outcome.TaskTokens,
        RetentionTokens = outcome.RetentionTokens,
        Plans = outcome.Plans,
        Trials = outcome.Trials,
        Corrected = [.. corrections.Factors.Keys.Concat(corrections.Downs.Keys).Concat(corrections.Shifts.Keys).Order(StringComparer.Ordinal)],
        Form = corrections.Downs.Count > 0 ? CorrectionForm.Down : corrections.Shifts.Count > 0 ? CorrectionForm.Shift : CorrectionForm.Beside,
        ModelFingerprint = corrections.ModelFingerprint,
    };

    /// <summary>Refuses values that no fit writes.</summary>
    /// <exception cref="InvalidDataException">At least one value is out of range.</exception>
    public void Check()
    {
        List<string> faults = [];
        if (string.IsNullOrWhiteSpace(ScoreColumnName)) faults.Add("the score column's name is empty");
        if (!Enum.IsDefined(Form)) faults.Add($"the corrections' form is {Form}");
        if (!(Strength >= 0 && double.IsFinite(Strength))) faults.Add($"the strength is {Strength}");
        if (TaskTokens < 1 || RetentionTokens < 1) faults.Add($"the moments are of {TaskTokens} and {RetentionTokens} tokens");
        if (Plans.Any(plan => plan is null) || Trials.Any(trial => trial is null) || Corrected.Any(string.IsNullOrWhiteSpace)) faults.Add("a list holds nothing");
        else if (Corrected.Except(Plans.Select(plan => plan.Name)).FirstOrDefault() is { } unknown) faults.Add($"the correction of '{unknown}' has no plan");
        if (Corrected.Distinct().Count() != Corrected.Count) faults.Add("a matrix has two corrections");
        if (ModelFingerprint.Length != 64 || !ModelFingerprint.All(char.IsAsciiHexDigitLower)) faults.Add($"the model's fingerprint is '{ModelFingerprint}'");
        if (faults.Count > 0)
            throw new InvalidDataException($"The model file's balance.json is not valid: {string.Join("; ", faults)}. The file was changed after it was saved.");
    }
}

/// <summary>The JSON of the model file's entry.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, IgnoreReadOnlyProperties = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(BalanceHeader))]
internal sealed partial class BalanceJson : JsonSerializerContext;
