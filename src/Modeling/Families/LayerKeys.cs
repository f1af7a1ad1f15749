namespace MLNetLoRA.Modeling;

/// <summary>A linear map of a layer: its name for adapters, and its key below the layer.</summary>
internal sealed record SlotKey(string Target, string Key);

/// <summary>The keys of one encoder layer.</summary>
internal sealed record LayerKeys(
    SlotKey Query, SlotKey Key, SlotKey Value, SlotKey AttentionOutput, string AttentionNorm, SlotKey Intermediate, SlotKey Output, string OutputNorm)
{
    public static LayerKeys Bert { get; } = new(
        new("query", "attention.self.query"), new("key", "attention.self.key"), new("value", "attention.self.value"),
        new("attention.output.dense", "attention.output.dense"), "attention.output.LayerNorm",
        new("intermediate.dense", "intermediate.dense"), new("output.dense", "output.dense"), "output.LayerNorm");

    public static LayerKeys DistilBert { get; } = new(
        new("q_lin", "attention.q_lin"), new("k_lin", "attention.k_lin"), new("v_lin", "attention.v_lin"),
        new("out_lin", "attention.out_lin"), "sa_layer_norm",
        new("lin1", "ffn.lin1"), new("lin2", "ffn.lin2"), "output_layer_norm");
}
