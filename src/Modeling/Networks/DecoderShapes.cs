namespace MLNetLoRA.Modeling;

/// <summary>Which parameters a decoder asks for: shapes by checkpoint key, without building anything or loading torch's native library.</summary>
internal static class DecoderShapes
{
    /// <summary>The linear slots of every layer, in the order in which a layer uses them.</summary>
    public static IReadOnlyList<ProjectionShape> Slots(DecoderConfig config)
    {
        var (hidden, intermediate) = (config.HiddenSize, config.IntermediateSize);
        var (queries, keys) = (config.HeadCount * config.HeadSize, config.KeyValueHeadCount * config.HeadSize);
        (int Inputs, int Outputs)[] sizes =
            [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), (hidden, intermediate), (hidden, intermediate), (intermediate, hidden)];
        return [.. DecoderKeys.Slots.Zip(sizes, (slot, size) => new ProjectionShape(slot.Target, size.Inputs, size.Outputs))];
    }

    /// <summary>Whether the map in a slot has a bias.</summary>
    public static bool HasBias(string target, DecoderConfig config) => target switch
    {
        "q_proj" or "k_proj" or "v_proj" => config.HasInputBiases,
        "o_proj" => config.HasAttentionBiases,
        _ => config.HasFeedForwardBiases,
    };

    /// <summary>Shapes by key of the decoder with its head; a tied head is the embedding.</summary>
    public static IReadOnlyDictionary<string, long[]> Of(DecoderConfig config)
    {
        var shapes = new Dictionary<string, long[]>
        {
            [$"{DecoderKeys.Prefix}.{DecoderKeys.Embedding}.weight"] = [config.VocabularySize, config.HiddenSize],
        };
        for (var n = 0; n < config.LayerCount; n++) AddLayer(shapes, DecoderKeys.LayerKey(n), config);
        shapes.Add($"{DecoderKeys.Prefix}.{DecoderKeys.FinalNorm}.weight", [config.HiddenSize]);
        if (!config.TieWordEmbeddings) shapes.Add($"{DecoderKeys.Head}.weight", [config.VocabularySize, config.HiddenSize]);
        return shapes;
    }

    /// <summary>How stored weights fail to fill the network, as phrases for a message; empty when they do.</summary>
    public static IReadOnlyList<string> Complaints(DecoderConfig config, IReadOnlyDictionary<string, StoredTensor> stored) =>
        NetworkShapes.Complaints(Of(config), stored, DecoderKeys.LayersPrefix, mayMiss: _ => false);

    private static void AddLayer(Dictionary<string, long[]> shapes, string layer, DecoderConfig config)
    {
        foreach (var (slot, shape) in DecoderKeys.Slots.Zip(Slots(config)))
        {
            shapes.Add($"{layer}.{slot.Key}.weight", [shape.Outputs, shape.Inputs]);
            if (HasBias(slot.Target, config)) shapes.Add($"{layer}.{slot.Key}.bias", [shape.Outputs]);
        }
        shapes.Add($"{layer}.{DecoderKeys.InputNorm}.weight", [config.HiddenSize]);
        shapes.Add($"{layer}.{DecoderKeys.FeedForwardNorm}.weight", [config.HiddenSize]);
    }
}
