namespace MLNetLoRA.Modeling;

/// <summary>The encoder architectures this library builds; <c>model_type</c> in config.json.</summary>
public enum ModelFamily
{
    /// <summary><c>roberta</c>: positions start after the padding id, two-layer classification head. arXiv 1907.11692.</summary>
    Roberta,

    /// <summary><c>bert</c>: positions start at 0, pooler and one-layer classification head. arXiv 1810.04805.</summary>
    Bert,

    /// <summary><c>xlm-roberta</c>: RoBERTa's network with a vocabulary of a hundred languages. arXiv 1911.02116.</summary>
    XlmRoberta,

    /// <summary><c>distilbert</c>: BERT without token types and pooler, with half the layers. arXiv 1910.01108.</summary>
    DistilBert,

    /// <summary>
    /// <c>electra</c>: BERT's layers over embeddings that may be narrower; its discriminators have no masked-language-model head. arXiv 2003.10555.
    /// </summary>
    Electra,
}
