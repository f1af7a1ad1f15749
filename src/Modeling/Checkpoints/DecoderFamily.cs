namespace MLNetLoRA.Modeling;

/// <summary>The decoder architectures this library builds; <c>model_type</c> in config.json.</summary>
public enum DecoderFamily
{
    /// <summary><c>llama</c>: Llama 1 to 3.2, and the many models of other makers with its network. arXiv 2302.13971, 2407.21783.</summary>
    Llama,

    /// <summary><c>mistral</c>: Llama's network in which a token sees a window of the tokens before it. arXiv 2310.06825.</summary>
    Mistral,

    /// <summary><c>qwen2</c>: Llama's network with biases on queries, keys and values. arXiv 2407.10671.</summary>
    Qwen2,
}
