using System.Text.Json.Serialization;

namespace MLNetLoRA.Transforms;

/// <summary>What a saved rescaling says about itself: rescaling.json in the model file.</summary>
internal sealed record RescalingHeader
{
    public required string ScoreColumnName { get; init; }
    public required RescalingKind Which { get; init; }
    public required double Scale { get; init; }
    public required IReadOnlyList<RescalingPlan> Plans { get; init; }
    public required IReadOnlyList<ScaleTrial> Trials { get; init; }

    /// <summary>The matrices that have a correction.</summary>
    public required IReadOnlyList<string> Corrected { get; init; }

    public required string ModelFingerprint { get; init; }

    [JsonIgnore]
    public RescalingOutcome Outcome => new(ScoreColumnName, Which, Scale, Plans, Trials);

    public static RescalingHeader Of(RescalingOutcome outcome, ModelCorrections corrections) => new()
    {
        ScoreColumnName = outcome.ScoreColumnName,
        Which = outcome.Which,
        Scale = outcome.Scale,
        Plans = outcome.Plans,
        Trials = outcome.Trials,
        Corrected = [.. corrections.Factors.Keys.Order(StringComparer.Ordinal)],
        ModelFingerprint = corrections.ModelFingerprint,
    };

    /// <summary>Refuses values that no fit writes.</summary>
    /// <exception cref="InvalidDataException">At least one value is out of range.</exception>
    public void Check()
    {
        List<string> faults = [];
        if (string.IsNullOrWhiteSpace(ScoreColumnName)) faults.Add("the score column's name is empty");
        if (!Enum.IsDefined(Which)) faults.Add($"what is rescaled is {Which}");
        if (!(Scale >= 0 && double.IsFinite(Scale))) faults.Add($"the scale is {Scale}");
        if (Plans.Any(plan => plan is null) || Trials.Any(trial => trial is null) || Corrected.Any(string.IsNullOrWhiteSpace)) faults.Add("a list holds nothing");
        else if (Corrected.Except(Plans.Select(plan => plan.Name)).FirstOrDefault() is { } unknown) faults.Add($"the correction of '{unknown}' has no plan");
        if (Corrected.Distinct().Count() != Corrected.Count) faults.Add("a matrix has two corrections");
        if (ModelFingerprint.Length != 64 || !ModelFingerprint.All(char.IsAsciiHexDigitLower)) faults.Add($"the model's fingerprint is '{ModelFingerprint}'");
        if (faults.Count > 0)
            throw new InvalidDataException($"The model file's rescaling.json is not valid: {string.Join("; ", faults)}. The file was changed after it was saved.");
    }
}

/// <summary>The JSON of the model file's entry.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, IgnoreReadOnlyProperties = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(RescalingHeader))]
internal sealed partial class RescalingJson : JsonSerializerContext;
