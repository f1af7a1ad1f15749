using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>How a further pretrained encoder lies in a model file.</summary>
/// <remarks>Entries: encoder.json (columns, settings, model), training.json, config.json, tokenizer.NAME, model.safetensors.</remarks>
internal static class EncoderFile
{
    private const string HeaderEntry = "encoder.json";
    private const string ReportEntry = "training.json";
    private const string WeightsEntry = "model.safetensors";

    private static readonly ModelFormat Format = new(
        "LORAENCO", MaskedLanguageModelTransformer.LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    public static void Save(ModelSaveContext ctx, PretrainedModel model, EncoderColumns columns, EncoderSettings settings, TrainingReport report)
    {
        Format.Write<MaskedLanguageModelTransformer>(ctx);
        ModelEntries.SaveJson(ctx, HeaderEntry, EncoderHeader.Of(model, columns, settings), EncoderFileJson.Default.EncoderHeader);
        ModelEntries.SaveJson(ctx, ReportEntry, report, EncoderFileJson.Default.TrainingReport);
        PretrainedEntries.Save(ctx, model);
        ModelEntries.Save(ctx, WeightsEntry, model.WriteWeights);
    }

    public static MaskedLanguageModelTransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<MaskedLanguageModelTransformer>(ctx);
        var header = ModelEntries.LoadJson(ctx, HeaderEntry, EncoderFileJson.Default.EncoderHeader);
        var report = ModelEntries.LoadJson(ctx, ReportEntry, EncoderFileJson.Default.TrainingReport);
        var config = PretrainedEntries.LoadConfig(ctx);
        header.Check(config);
        var device = PretrainedEntries.ChooseDevice(env, nameof(MaskedLanguageModelTransformer));
        var tokenizer = PretrainedEntries.LoadTokenizer(ctx, header.TokenizerFiles);

        // Until the embedder holds the weights itself.
        using var embedded = ModelEntries.Load(ctx, WeightsEntry, stream => EmbeddedModel.Read(header.Name, config, tokenizer, header.Card, stream));
        if (embedded.Model.ContentHash != header.ContentHash)
            throw new InvalidDataException(
                $"The model file's configuration, tokenizer or weights have other content than {HeaderEntry} says. The file was changed after it was saved.");
        return new MaskedLanguageModelTransformer(
            env, new TextEmbedder(embedded.Model, device), header.Columns, new EncoderSettings(header.BatchSize, header.MaxTokens), report);
    }
}

/// <summary>What a saved encoder says about itself: encoder.json in the model file.</summary>
internal sealed record EncoderHeader
{
    public required string Sentence1ColumnName { get; init; }
    public required string OutputColumnName { get; init; }
    public string? LossColumnName { get; init; }
    public required int BatchSize { get; init; }
    public required int MaxTokens { get; init; }
    public required string Name { get; init; }
    public required string ContentHash { get; init; }
    public required string[] TokenizerFiles { get; init; }
    public required ModelCard Card { get; init; }

    [JsonIgnore]
    public EncoderColumns Columns => new(Sentence1ColumnName, OutputColumnName, LossColumnName);

    public static EncoderHeader Of(PretrainedModel model, EncoderColumns columns, EncoderSettings settings) => new()
    {
        Sentence1ColumnName = columns.Sentence1,
        OutputColumnName = columns.Features,
        LossColumnName = columns.Loss,
        BatchSize = settings.BatchSize,
        MaxTokens = settings.MaxTokens,
        Name = model.Name,
        ContentHash = model.ContentHash,
        TokenizerFiles = [.. model.Tokenizer.Files.Select(file => file.Name)],
        Card = model.Card,
    };

    /// <summary>Refuses values that no fit writes.</summary>
    /// <exception cref="InvalidDataException">At least one value is out of range.</exception>
    public void Check(EncoderConfig config)
    {
        string[] names = [Sentence1ColumnName, OutputColumnName, Name, .. LossColumnName is { } loss ? [loss] : Array.Empty<string>()];
        List<string> faults = [.. Card.Faults()];
        if (names.Any(string.IsNullOrWhiteSpace)) faults.Add("a name is empty");
        if (OutputColumnName == LossColumnName) faults.Add($"vector and loss are both '{OutputColumnName}'");
        if (BatchSize is < 1 or > OptionDefaults.MostRows) faults.Add($"the batch size is {BatchSize}");
        if (MaxTokens < OptionDefaults.FewestTokens || MaxTokens > config.MaxTokens) faults.Add($"the token limit is {MaxTokens}");
        if (faults.Count > 0)
            throw new InvalidDataException($"The model file's encoder.json is not valid: {string.Join("; ", faults)}. The file was changed after it was saved.");
    }
}

/// <summary>The JSON of a saved encoder's entries.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(EncoderHeader))]
[JsonSerializable(typeof(TrainingReport))]
internal sealed partial class EncoderFileJson : JsonSerializerContext;
