namespace MLNetLoRA.Modeling;

/// <summary>A family's masked-language-model head: a linear map to the width of the embeddings, activation, norm, and a decoder.</summary>
/// <param name="Dense">Key of the linear map.</param>
/// <param name="Norm">Key of the norm.</param>
/// <param name="Decoder">Key of the decoder's matrix; where it is tied, a file may hold a copy of the word embedding under it.</param>
/// <param name="Bias">Key of the decoder's bias.</param>
/// <param name="BiasCopy">Another key under which files hold the same bias; null for none.</param>
/// <param name="IsAlwaysGelu">Whether the activation is gelu whatever hidden_act says.</param>
internal sealed record LanguageModelKeys(string Dense, string Norm, string Decoder, string Bias, string? BiasCopy, bool IsAlwaysGelu)
{
    /// <summary>RobertaLMHead.</summary>
    public static LanguageModelKeys Roberta { get; } =
        new("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder.weight", "lm_head.bias", "lm_head.decoder.bias", IsAlwaysGelu: true);

    /// <summary>BertLMPredictionHead.</summary>
    public static LanguageModelKeys Bert { get; } = new(
        "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder.weight", "cls.predictions.bias",
        "cls.predictions.decoder.bias", IsAlwaysGelu: false);

    /// <summary>DistilBertForMaskedLM.</summary>
    public static LanguageModelKeys DistilBert { get; } =
        new("vocab_transform", "vocab_layer_norm", "vocab_projector.weight", "vocab_projector.bias", BiasCopy: null, IsAlwaysGelu: false);

    /// <summary>ElectraGeneratorPredictions and ElectraForMaskedLM.</summary>
    public static LanguageModelKeys Electra { get; } = new(
        "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.weight", "generator_lm_head.bias", BiasCopy: null,
        IsAlwaysGelu: true);

    /// <summary>Whether the parameter with this key belongs to the head.</summary>
    public bool Holds(string key) =>
        key == Decoder || key == Bias || key.StartsWith(Dense + ".", StringComparison.Ordinal) || key.StartsWith(Norm + ".", StringComparison.Ordinal);
}
