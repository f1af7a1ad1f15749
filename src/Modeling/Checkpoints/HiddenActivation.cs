namespace MLNetLoRA.Modeling;

/// <summary>The nonlinearity of the feed-forward blocks; <c>hidden_act</c> in config.json.</summary>
public enum HiddenActivation
{
    /// <summary><c>gelu</c>: x times the normal distribution function of x, exact. arXiv 1606.08415.</summary>
    Gelu,

    /// <summary><c>gelu_new</c> or <c>gelu_pytorch_tanh</c>: the tanh approximation of <see cref="Gelu"/>.</summary>
    GeluTanh,

    /// <summary><c>relu</c>: max(0, x).</summary>
    Relu,
}
