using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Fills the targeted slots with <see cref="LoraLinear"/> and the others with the plain map.</summary>
public sealed class LoraProjections(LoraOptions options) : IProjectionFactory
{
    private readonly PlainProjections _plain = new();

    /// <summary>Whether the parameter with this checkpoint key belongs to an adapter.</summary>
    public static bool IsAdapterKey(string key) => IsDown(key) || key.EndsWith(".lora_B.weight", StringComparison.Ordinal);

    /// <summary>Whether the parameter with this checkpoint key belongs to an adapter and is trained under these options.</summary>
    public static bool IsTrained(string key, LoraOptions options) => IsAdapterKey(key) && !(options.FreezesA && IsDown(key));

    /// <summary>The checkpoint key of a parameter with this registered name: the frozen map inside an adapter keeps its plain key.</summary>
    public static string CheckpointKey(string registeredName) => registeredName.Replace(".base_layer.", ".", StringComparison.Ordinal);

    /// <inheritdoc/>
    public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout) =>
        options.Targets(slot.Target) ? new LoraLinear(slot, source, options, dropout) : _plain.Create(slot, source, dropout);

    private static bool IsDown(string key) => key.EndsWith(".lora_A.weight", StringComparison.Ordinal);
}
