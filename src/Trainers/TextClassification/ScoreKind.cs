namespace MLNetLoRA;

/// <summary>What the Score column holds.</summary>
public enum ScoreKind
{
    /// <summary>Probabilities that add up to 1: what ML.NET's metrics expect. The default.</summary>
    Probability,

    /// <summary>Raw logits, for code that applies softmax itself.</summary>
    Logit,
}
