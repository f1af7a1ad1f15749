using System.Text;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary><see cref="DecoderConfig"/> as Hugging Face's config.json.</summary>
internal static class DecoderConfigJson
{
    /// <summary>What old conversions of Llama wrote for "no padding token".</summary>
    private const int NoPadding = -1;

    private static readonly (string Name, DecoderLayout Layout)[] Families = [.. DecoderLayout.All.Select(layout => (layout.ModelType, layout))];
    private static readonly (string Name, bool)[] Activations = [("silu", true)];
    private static readonly (string Name, bool IsStretched)[] RotaryTypes = [("default", false), ("llama3", true)];

    /// <summary>Whether a config.json names one of the families here.</summary>
    /// <exception cref="InvalidDataException">It is no JSON object.</exception>
    public static bool IsDecoder(ReadOnlyMemory<byte> utf8, string source)
    {
        using var document = StrictJson.ParseObject(utf8, source);
        return document.RootElement.TryGetProperty("model_type", out var type) && type.ValueKind == JsonValueKind.String
            && Families.Any(family => family.Name == type.GetString());
    }

    /// <exception cref="InvalidDataException">Any fault; the message starts with <paramref name="source"/>.</exception>
    public static DecoderConfig Parse(ReadOnlyMemory<byte> utf8, string source)
    {
        using var document = StrictJson.ParseObject(utf8, source);
        return StrictJson.Guard(source, () => Read(new JsonFields(document.RootElement), source));
    }

    private static DecoderConfig Read(JsonFields fields, string source)
    {
        // Another architecture has other keys: their absence would only hide the one fault that matters.
        var layout = fields.Choice("model_type", Families, fallback: null);
        fields.ThrowIfFaulty(source);

        var (rotaryBase, scaling) = ReadRotary(fields);
        var config = new DecoderConfig
        {
            Family = layout.Family,
            VocabularySize = fields.Integer("vocab_size"),
            HiddenSize = fields.Integer("hidden_size"),
            LayerCount = fields.Integer("num_hidden_layers"),
            HeadCount = fields.Integer("num_attention_heads"),
            IntermediateSize = fields.Integer("intermediate_size"),
            MaxPositions = fields.Integer("max_position_embeddings"),
            NormEpsilon = fields.Number("rms_norm_eps") ?? 1e-6,
            RotaryBase = rotaryBase ?? 10_000,
            RotaryScaling = scaling,
            SlidingWindow = ReadSlidingWindow(fields, layout),
            HasAttentionBiases = layout.MayHaveBiases && fields.Boolean("attention_bias", false),
            HasFeedForwardBiases = layout.MayHaveBiases && fields.Boolean("mlp_bias", false),
            AttentionDropout = fields.Number("attention_dropout") ?? 0,
            InitializerRange = fields.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings", false),
            BeginTokenId = fields.Has("bos_token_id") ? fields.Integer("bos_token_id") : null,
            EndTokenIds = fields.Integers("eos_token_id"),
            PadTokenId = fields.Has("pad_token_id") && fields.Integer("pad_token_id") is var pad and not NoPadding ? pad : null,
        };
        if (fields.Has("num_key_value_heads")) config = config with { KeyValueHeadCount = fields.Integer("num_key_value_heads") };
        if (fields.Has("head_dim")) config = config with { HeadSize = fields.Integer("head_dim") };
        RefuseOtherNetworks(fields, config);
        // A value that could not be read is not also out of range.
        foreach (var (keys, text) in config.Faults())
            if (!keys.Any(fields.IsFaulty)) fields.Add(keys[0], text);
        fields.ThrowIfFaulty(source);
        return config;
    }

    // Newer files gather base and scaling in rope_parameters; the older have rope_theta and rope_scaling, whose type was once called "type".
    private static (double? Base, RotaryScaling? Scaling) ReadRotary(JsonFields fields)
    {
        var rotaryBase = fields.Number("rope_theta");
        var name = fields.Has("rope_parameters") ? "rope_parameters" : "rope_scaling";
        if (fields.Object(name) is not { } rotary) return (rotaryBase, null);

        rotaryBase = rotary.Number("rope_theta") ?? rotaryBase;
        var typeKey = rotary.Has("rope_type") || !rotary.Has("type") ? "rope_type" : "type";
        var isStretched = rotary.Choice(typeKey, RotaryTypes, fallback: null);
        var scaling = !isStretched ? null : new RotaryScaling(
            Required("factor"), Required("low_freq_factor"), Required("high_freq_factor"), rotary.Integer("original_max_position_embeddings"));
        fields.AddAll(name, rotary);
        return (rotaryBase, fields.IsFaulty(name) ? null : scaling);

        double Required(string key)
        {
            if (!rotary.Has(key)) rotary.Add(key, $"{key} is missing.");
            return rotary.Number(key) ?? 0;
        }
    }

    private static int? ReadSlidingWindow(JsonFields fields, DecoderLayout layout) =>
        layout.DefaultSlidingWindow is not { } window || fields.IsNull("sliding_window") ? null : fields.Integer("sliding_window", window);

    // Keys that change what the network computes, where we build only the usual value.
    private static void RefuseOtherNetworks(JsonFields fields, DecoderConfig config)
    {
        fields.Choice("hidden_act", Activations, "silu");
        if (fields.Number("partial_rotary_factor") is { } part and not 1)
            fields.Add("partial_rotary_factor", FormattableString.Invariant($"partial_rotary_factor is {part}; only whole heads are turned here."));
        if (config.Family == DecoderFamily.Qwen2 && fields.Boolean("use_sliding_window", false))
            fields.Add("use_sliding_window", "use_sliding_window is true; only false is supported for qwen2, whose window covers some layers and not others.");
        var wanted = config.SlidingWindow is null ? "full_attention" : "sliding_attention";
        if (fields.Texts("layer_types").FirstOrDefault(type => type != wanted) is { } other)
            fields.Add("layer_types", $"layer_types has {MessageText.Quote(other)}; with this sliding_window all layers are {wanted} here.");
        if (fields.Has("quantization_config"))
            fields.Add("quantization_config", "quantization_config is set; quantized weights are not supported, use the checkpoint they were made from.");
    }

    public static string Write(DecoderConfig config)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(config.Architecture);
            json.WriteEndArray();
            WriteSizes(json, config);
            WriteConstants(json, config);
            WriteTokens(json, config);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void WriteSizes(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteString("model_type", config.ModelType);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        json.WriteNumber("head_dim", config.HeadSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("max_position_embeddings", config.MaxPositions);
    }

    private static void WriteConstants(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("rms_norm_eps", config.NormEpsilon);
        json.WriteNumber("rope_theta", config.RotaryBase);
        if (config.RotaryScaling is { } scaling) WriteScaling(json, scaling);
        else json.WriteNull("rope_scaling");
        if (config.SlidingWindow is { } window) json.WriteNumber("sliding_window", window);
        else json.WriteNull("sliding_window");
        if (config.Layout.MayHaveBiases)
        {
            json.WriteBoolean("attention_bias", config.HasAttentionBiases);
            json.WriteBoolean("mlp_bias", config.HasFeedForwardBiases);
        }
        json.WriteNumber("attention_dropout", config.AttentionDropout);
        json.WriteNumber("initializer_range", config.InitializerRange);
        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
    }

    private static void WriteScaling(Utf8JsonWriter json, RotaryScaling scaling)
    {
        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", "llama3");
        json.WriteNumber("factor", scaling.Factor);
        json.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
        json.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositions);
        json.WriteEndObject();
    }

    private static void WriteTokens(Utf8JsonWriter json, DecoderConfig config)
    {
        if (config.BeginTokenId is { } begin) json.WriteNumber("bos_token_id", begin);
        if (config.EndTokenIds is [var end]) json.WriteNumber("eos_token_id", end);
        else if (config.EndTokenIds.Count > 1)
        {
            json.WriteStartArray("eos_token_id");
            foreach (var id in config.EndTokenIds) json.WriteNumberValue(id);
            json.WriteEndArray();
        }
        if (config.PadTokenId is { } pad) json.WriteNumber("pad_token_id", pad);
    }
}
