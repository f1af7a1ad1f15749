namespace MLNetLoRA.Modeling;

/// <summary>The encoder architectures this library builds; <c>model_type</c> in config.json.</summary>
public enum ModelFamily
{
    /// <summary><c>roberta</c>: positions start after the padding id, two-layer classification head. arXiv 1907.11692.</summary>
    Roberta,

    /// <summary><c>bert</c>: positions start at 0, pooler and one-layer classification head. arXiv 1810.04805.</summary>
    Bert,
}
