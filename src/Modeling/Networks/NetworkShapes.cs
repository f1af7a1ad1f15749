using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Which parameters the networks ask for: shapes by checkpoint key, without building anything or loading torch's native library.</summary>
internal static class NetworkShapes
{
    /// <summary>The linear slots of every layer, in the order in which a layer uses them.</summary>
    public static IReadOnlyList<ProjectionShape> Slots(EncoderConfig config)
    {
        var (keys, hidden, intermediate) = (config.Layout.Layer, config.HiddenSize, config.IntermediateSize);
        return
        [
            new(keys.Query.Target, hidden, hidden),
            new(keys.Key.Target, hidden, hidden),
            new(keys.Value.Target, hidden, hidden),
            new(keys.AttentionOutput.Target, hidden, hidden),
            new(keys.Intermediate.Target, hidden, intermediate),
            new(keys.Output.Target, intermediate, hidden),
        ];
    }

    /// <summary>Shapes by key of the encoder with its language-model head.</summary>
    public static IReadOnlyDictionary<string, long[]> OfMaskedLanguageModel(EncoderConfig config)
    {
        var shapes = OfEncoder(config);
        var keys = config.Layout.LanguageModel;
        AddLinear(shapes, keys.Dense, config.HiddenSize, config.EmbeddingSize);
        AddNorm(shapes, keys.Norm, config.EmbeddingSize);
        if (!config.TieWordEmbeddings) shapes.Add(keys.Decoder, [config.VocabularySize, config.EmbeddingSize]);
        shapes.Add(keys.Bias, [config.VocabularySize]);
        return shapes;
    }

    /// <summary>Shapes by key of the encoder with a classification head.</summary>
    public static IReadOnlyDictionary<string, long[]> OfClassifier(EncoderConfig config, int classCount)
    {
        var shapes = OfEncoder(config);
        foreach (var (key, shape) in OfClassificationHead(config, classCount)) shapes.Add(key, shape);
        return shapes;
    }

    /// <summary>Shapes by key of a classification head alone.</summary>
    public static IReadOnlyDictionary<string, long[]> OfClassificationHead(EncoderConfig config, int classCount)
    {
        var shapes = new Dictionary<string, long[]>();
        AddLinear(shapes, config.Layout.Classification.Dense, config.HiddenSize, config.HiddenSize);
        AddLinear(shapes, config.Layout.Classification.Classes, config.HiddenSize, classCount);
        return shapes;
    }

    /// <summary>The encoder's linear slots by checkpoint key without ".weight", in the order in which the network uses them.</summary>
    public static IReadOnlyList<KeyValuePair<string, ProjectionShape>> Projections(EncoderConfig config) =>
        [.. Enumerable.Range(0, config.LayerCount).SelectMany(n => OfSlots(LayerKey(config, n), config))];

    /// <summary>How stored weights fail to fill a network, as phrases for a message; empty when they do.</summary>
    /// <param name="asked">Shapes by key.</param>
    /// <param name="stored">What is stored, by canonical key.</param>
    /// <param name="layers">What the keys of the layers start with.</param>
    /// <param name="mayMiss">Keys that may be absent because they can be drawn at random.</param>
    public static IReadOnlyList<string> Complaints(
        IReadOnlyDictionary<string, long[]> asked, IReadOnlyDictionary<string, StoredTensor> stored, string layers, Func<string, bool> mayMiss)
    {
        var missing = asked.Keys.Where(key => !stored.ContainsKey(key) && !mayMiss(key)).ToList();
        var misshapen = asked
            .Where(wanted => stored.TryGetValue(wanted.Key, out var found) && !found.Shape.AsSpan().SequenceEqual(wanted.Value))
            .Select(wanted => $"{wanted.Key} is ({string.Join(", ", stored[wanted.Key].Shape)}), config.json says ({string.Join(", ", wanted.Value)})")
            .ToList();
        var mistyped = asked.Keys.Where(key => stored.TryGetValue(key, out var found) && !IsWeightType(found.DataType)).ToList();
        // A key inside the layers that has no place changes what the network computes: a layer more, relative positions, quantization's scales.
        var surplus = stored.Keys.Where(key => key.StartsWith(layers, StringComparison.Ordinal) && !asked.ContainsKey(key)).ToList();

        var complaints = new List<string>();
        if (missing.Count > 0) complaints.Add($"{missing.Count} keys missing ({Some(missing)})");
        if (misshapen.Count > 0) complaints.Add($"{misshapen.Count} with another shape: {misshapen[0]}");
        if (mistyped.Count > 0)
            complaints.Add($"{mistyped.Count} stored as {SafetensorsDataType.NameOf(stored[mistyped[0]].DataType)} "
                + $"({Some(mistyped)}; F32, F16, BF16 or F64 were wanted)");
        if (surplus.Count > 0) complaints.Add($"{surplus.Count} keys that the layers of config.json have no place for ({Some(surplus)})");
        return complaints;
    }

    /// <summary>What the keys of an encoder's layers start with.</summary>
    public static string LayersOf(EncoderConfig config) => $"{config.CheckpointPrefix}.{config.Layout.Stack}.";

    private static Dictionary<string, long[]> OfEncoder(EncoderConfig config)
    {
        var (layout, prefix) = (config.Layout, config.CheckpointPrefix);
        var shapes = new Dictionary<string, long[]>
        {
            [$"{prefix}.embeddings.word_embeddings.weight"] = [config.VocabularySize, config.EmbeddingSize],
            [$"{prefix}.embeddings.position_embeddings.weight"] = [config.MaxPositions, config.EmbeddingSize],
        };
        if (layout.HasTokenTypes) shapes.Add($"{prefix}.embeddings.token_type_embeddings.weight", [config.TypeVocabularySize, config.EmbeddingSize]);
        AddNorm(shapes, $"{prefix}.embeddings.LayerNorm", config.EmbeddingSize);
        if (config.EmbeddingSize != config.HiddenSize)
            AddLinear(shapes, $"{prefix}.{FamilyLayout.EmbeddingProjection}", config.EmbeddingSize, config.HiddenSize);
        for (var n = 0; n < config.LayerCount; n++) AddLayer(shapes, LayerKey(config, n), config);
        return shapes;
    }

    private static void AddLayer(Dictionary<string, long[]> shapes, string layer, EncoderConfig config)
    {
        var keys = config.Layout.Layer;
        foreach (var (key, slot) in OfSlots(layer, config)) AddLinear(shapes, key, slot.Inputs, slot.Outputs);
        AddNorm(shapes, $"{layer}.{keys.AttentionNorm}", config.HiddenSize);
        AddNorm(shapes, $"{layer}.{keys.OutputNorm}", config.HiddenSize);
    }

    private static string LayerKey(EncoderConfig config, int number) => $"{config.CheckpointPrefix}.{config.Layout.Stack}.layer.{number}";

    private static IEnumerable<KeyValuePair<string, ProjectionShape>> OfSlots(string layer, EncoderConfig config)
    {
        var keys = config.Layout.Layer;
        SlotKey[] slots = [keys.Query, keys.Key, keys.Value, keys.AttentionOutput, keys.Intermediate, keys.Output];
        return slots.Zip(Slots(config), (slot, shape) => KeyValuePair.Create($"{layer}.{slot.Key}", shape));
    }

    private static void AddLinear(Dictionary<string, long[]> shapes, string key, int inputs, int outputs)
    {
        shapes.Add($"{key}.weight", [outputs, inputs]);
        shapes.Add($"{key}.bias", [outputs]);
    }

    private static void AddNorm(Dictionary<string, long[]> shapes, string key, int width)
    {
        shapes.Add($"{key}.weight", [width]);
        shapes.Add($"{key}.bias", [width]);
    }

    private static bool IsWeightType(ScalarType type) =>
        type is ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64;

    private static string Some(List<string> keys) => $"{keys[0]}{(keys.Count > 1 ? ", …" : "")}";
}
