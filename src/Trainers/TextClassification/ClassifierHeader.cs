using System.Text.Json.Serialization;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>What a saved classifier says about itself: classifier.json in the model file.</summary>
internal sealed record ClassifierHeader
{
    public required string Component { get; init; }
    public required string Sentence1ColumnName { get; init; }
    public string? Sentence2ColumnName { get; init; }
    public required string ScoreColumnName { get; init; }
    public required string OutputColumnName { get; init; }
    public required ScoreKind ScoreKind { get; init; }
    public required int BatchSize { get; init; }
    public required int MaxTokens { get; init; }
    public LoraHeader? Lora { get; init; }
    public required BaseHeader Base { get; init; }

    [JsonIgnore]
    public TextColumns Columns => new(Component, Sentence1ColumnName, Sentence2ColumnName, ScoreColumnName, OutputColumnName);

    public static ClassifierHeader Of(ClassifierDescription description, TextColumns columns, ScoringSettings settings) => new()
    {
        Component = columns.Component,
        Sentence1ColumnName = columns.Sentence1,
        Sentence2ColumnName = columns.Sentence2,
        ScoreColumnName = columns.Score,
        OutputColumnName = columns.PredictedLabel,
        ScoreKind = settings.ScoreKind,
        BatchSize = settings.BatchSize,
        MaxTokens = description.MaxTokens,
        Lora = description.Lora is { } lora ? LoraHeader.Of(lora) : null,
        Base = new BaseHeader(
            // A file that does not need the folder does not tell where on its maker's disk it was.
            description.Base.Name, settings.BaseStorage, settings.BaseStorage is BaseStorage.Reference ? description.Base.Folder : null,
            description.Base.ContentHash,
            [.. description.Base.Tokenizer.Files.Select(file => file.Name)], description.Base.Card),
    };

    /// <summary>Refuses values that no fit writes.</summary>
    /// <exception cref="InvalidDataException">At least one value is out of range.</exception>
    public void Check(EncoderConfig config, int classCount)
    {
        string[] names = [Component, Sentence1ColumnName, ScoreColumnName, OutputColumnName, .. Sentence2ColumnName is { } second ? [second] : Array.Empty<string>()];
        IEnumerable<string> faults =
        [
            .. names.Any(string.IsNullOrWhiteSpace) ? ["a column name is empty"] : Array.Empty<string>(),
            .. ScoreColumnName == OutputColumnName ? [$"score and predicted label are both '{ScoreColumnName}'"] : Array.Empty<string>(),
            .. Enum.IsDefined(ScoreKind) ? Array.Empty<string>() : [$"the score kind is {ScoreKind}"],
            .. BatchSize is >= 1 and <= OptionDefaults.MostRows ? Array.Empty<string>() : [$"the batch size is {BatchSize}"],
            .. MaxTokens >= OptionDefaults.FewestTokens && MaxTokens <= config.MaxTokens ? Array.Empty<string>() : [$"the token limit is {MaxTokens}"],
            .. Base.ContentHash.Length == 64 && Base.ContentHash.All(char.IsAsciiHexDigitLower)
                ? Array.Empty<string>() : [$"the base's content hash is '{Base.ContentHash}'"],
            .. Base.Card.Faults(),
            .. Enum.IsDefined(Base.Storage) ? Array.Empty<string>() : [$"the base storage is {Base.Storage}"],
            .. Lora is not null && Base.Storage is BaseStorage.TunedOnly ? ["an adapter has no base"] : Array.Empty<string>(),
            .. classCount >= 2 ? Array.Empty<string>() : [$"there are {classCount} classes"],
            .. Lora?.Options.Faults(SequenceClassifier.Slots(config)) ?? [],
        ];
        if (faults.Any())
            throw new InvalidDataException($"The model file's classifier.json is not valid: {string.Join("; ", faults)}. The file was changed after it was saved.");
    }
}

/// <summary>The adapter's shape.</summary>
internal sealed record LoraHeader(
    int Rank, double Alpha, double Dropout, string[] TargetModules,
    LoraInitialization Initialization = LoraInitialization.KaimingUniform, bool FreezesA = false)
{
    [JsonIgnore]
    public LoraOptions Options => new()
    {
        Rank = Rank, Alpha = Alpha, Dropout = Dropout, TargetModules = TargetModules, Initialization = Initialization, FreezesA = FreezesA,
    };

    public static LoraHeader Of(LoraOptions lora) =>
        new(lora.Rank, lora.EffectiveAlpha, lora.Dropout, [.. lora.TargetModules], lora.Initialization, lora.FreezesA);
}

/// <summary>Which base it was, and where to find it.</summary>
internal sealed record BaseHeader(string Name, BaseStorage Storage, string? Folder, string ContentHash, string[] TokenizerFiles, ModelCard Card);

/// <summary>The JSON of the model file's entries.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(ClassifierHeader))]
[JsonSerializable(typeof(TrainingReport))]
internal sealed partial class ModelFileJson : JsonSerializerContext;
