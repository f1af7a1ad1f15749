using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary><see cref="EncoderConfig"/> as Hugging Face's config.json.</summary>
internal static class EncoderConfigJson
{
    /// <summary>Real files have one or two kilobytes; thousands of class names still fit.</summary>
    public const int MaxBytes = 1 << 24;

    /// <summary>What ElectraConfig takes where config.json says nothing.</summary>
    private const int DefaultEmbeddingSize = 128;

    private static readonly (string Name, FamilyLayout Layout)[] Families = [.. FamilyLayout.All.Select(layout => (layout.ModelType, layout))];

    // The first spelling of each activation is the one written.
    private static readonly (string Name, HiddenActivation Activation)[] Activations =
    [
        ("gelu", HiddenActivation.Gelu),
        ("gelu_new", HiddenActivation.GeluTanh),
        ("gelu_pytorch_tanh", HiddenActivation.GeluTanh),
        ("relu", HiddenActivation.Relu),
    ];

    /// <exception cref="InvalidDataException">Any fault; the message starts with <paramref name="source"/>.</exception>
    public static EncoderConfig Parse(ReadOnlyMemory<byte> utf8, string source)
    {
        using var document = StrictJson.ParseObject(utf8, source);
        return StrictJson.Guard(source, () => Read(new JsonFields(document.RootElement), source));
    }

    private static EncoderConfig Read(JsonFields fields, string source)
    {
        // Another architecture has other keys: their absence would only hide the one fault that matters.
        var layout = fields.Choice("model_type", Families, fallback: null);
        fields.ThrowIfFaulty(source);

        var names = layout.Config;
        var config = new EncoderConfig
        {
            Family = layout.Family,
            VocabularySize = fields.Integer("vocab_size"),
            HiddenSize = fields.Integer(names.HiddenSize),
            LayerCount = fields.Integer(names.LayerCount),
            HeadCount = fields.Integer(names.HeadCount),
            IntermediateSize = fields.Integer(names.IntermediateSize),
            MaxPositions = fields.Integer("max_position_embeddings"),
            TypeVocabularySize = names.TypeVocabularySize is { } types ? fields.Integer(types, 2) : 2,
            LayerNormEpsilon = (names.LayerNormEpsilon is { } epsilon ? fields.Number(epsilon) : null) ?? 1e-12,
            PadTokenId = fields.Integer("pad_token_id", layout.DefaultPadTokenId),
            HiddenDropout = fields.Number(names.HiddenDropout) ?? 0.1,
            AttentionDropout = fields.Number(names.AttentionDropout) ?? 0.1,
            ClassifierDropout = fields.Number(names.ClassifierDropout),
            InitializerRange = fields.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings", true),
            HiddenActivation = fields.Choice(names.HiddenActivation, Activations, "gelu"),
            HasSinusoidalPositions = names.SinusoidalPositions is { } sinusoidal && fields.Boolean(sinusoidal, false),
            LabelNames = fields.Names("id2label"),
        };
        // Another family's file may say it too: where it is no setting, only the hidden size passes.
        if (names.EmbeddingSize is not null || fields.Has("embedding_size"))
            config = config with { EmbeddingSize = fields.Integer("embedding_size", DefaultEmbeddingSize) };
        RefuseOtherNetworks(fields);
        // A value that could not be read is not also out of range.
        foreach (var (keys, text) in config.Faults())
            if (!keys.Any(fields.IsFaulty)) fields.Add(keys[0], text);
        fields.ThrowIfFaulty(source);
        return config;
    }

    // Keys that change what the network computes, where we build only the usual value.
    private static void RefuseOtherNetworks(JsonFields fields)
    {
        if (fields.Text("position_embedding_type", "absolute") is { } positions && positions != "absolute")
            fields.Add("position_embedding_type", $"position_embedding_type is {MessageText.Quote(positions)}; only absolute is supported.");
        foreach (var key in (string[])["is_decoder", "add_cross_attention"])
            if (fields.Boolean(key, false)) fields.Add(key, $"{key} is true; only encoders are supported.");
        if (fields.HasContent("pruned_heads"))
            fields.Add("pruned_heads", "pruned_heads names attention heads that were cut out; only whole layers are supported, use the checkpoint it was cut from.");
        if (fields.Has("quantization_config"))
            fields.Add("quantization_config", "quantization_config is set; quantized weights are not supported, use the checkpoint they were made from.");
    }

    public static string Write(EncoderConfig config, IReadOnlyList<string>? architectures)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            if (architectures is { Count: > 0 }) WriteArchitectures(json, architectures);
            WriteNetwork(json, config);
            if (config.LabelNames is { Count: > 0 } labels) WriteLabels(json, labels);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void WriteArchitectures(Utf8JsonWriter json, IReadOnlyList<string> architectures)
    {
        json.WriteStartArray("architectures");
        foreach (var architecture in architectures) json.WriteStringValue(architecture);
        json.WriteEndArray();
    }

    private static void WriteNetwork(Utf8JsonWriter json, EncoderConfig config)
    {
        var names = config.Layout.Config;
        json.WriteString("model_type", config.Layout.ModelType);
        json.WriteNumber("vocab_size", config.VocabularySize);
        if (names.EmbeddingSize is { } embedding) json.WriteNumber(embedding, config.EmbeddingSize);
        json.WriteNumber(names.HiddenSize, config.HiddenSize);
        json.WriteNumber(names.LayerCount, config.LayerCount);
        json.WriteNumber(names.HeadCount, config.HeadCount);
        json.WriteNumber(names.IntermediateSize, config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.MaxPositions);
        if (names.SinusoidalPositions is { } sinusoidal) json.WriteBoolean(sinusoidal, config.HasSinusoidalPositions);
        if (names.TypeVocabularySize is { } types) json.WriteNumber(types, config.TypeVocabularySize);
        if (names.LayerNormEpsilon is { } epsilon) json.WriteNumber(epsilon, config.LayerNormEpsilon);
        json.WriteNumber("pad_token_id", config.PadTokenId);
        json.WriteNumber(names.HiddenDropout, config.HiddenDropout);
        json.WriteNumber(names.AttentionDropout, config.AttentionDropout);
        if (config.ClassifierDropout is { } dropout) json.WriteNumber(names.ClassifierDropout, dropout);
        else json.WriteNull(names.ClassifierDropout);
        json.WriteNumber("initializer_range", config.InitializerRange);
        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        json.WriteString(names.HiddenActivation, Array.Find(Activations, pair => pair.Activation == config.HiddenActivation).Name);
    }

    private static void WriteLabels(Utf8JsonWriter json, IReadOnlyList<string> labels)
    {
        json.WriteStartObject("id2label");
        for (var id = 0; id < labels.Count; id++) json.WriteString(id.ToString(CultureInfo.InvariantCulture), labels[id]);
        json.WriteEndObject();
        // Only the reverse map needs distinct names; without it the transformers library makes its own.
        if (labels.Distinct(StringComparer.Ordinal).Count() != labels.Count) return;
        json.WriteStartObject("label2id");
        for (var id = 0; id < labels.Count; id++) json.WriteNumber(labels[id], id);
        json.WriteEndObject();
    }
}
