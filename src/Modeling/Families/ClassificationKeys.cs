namespace MLNetLoRA.Modeling;

/// <summary>The nonlinearity between the two maps of a classification head, whatever hidden_act says.</summary>
internal enum PoolingActivation
{
    Tanh,
    Relu,
    Gelu,
}

/// <summary>A family's classification head: from the first token's vector over two linear maps to one logit per class.</summary>
/// <param name="Dense">Key of the first map.</param>
/// <param name="Classes">Key of the second map.</param>
/// <param name="Activation">Between them.</param>
/// <param name="DropsInput">Whether dropout comes before the first map too.</param>
/// <param name="DefaultDropout">Where config.json says nothing; null: as the hidden dropout.</param>
internal sealed record ClassificationKeys(
    string Dense, string Classes, PoolingActivation Activation, bool DropsInput = false, double? DefaultDropout = null)
{
    /// <summary>RobertaClassificationHead.</summary>
    public static ClassificationKeys Roberta { get; } = new("classifier.dense", "classifier.out_proj", PoolingActivation.Tanh, DropsInput: true);

    /// <summary>BertPooler and BertForSequenceClassification.</summary>
    public static ClassificationKeys Bert { get; } = new("bert.pooler.dense", "classifier", PoolingActivation.Tanh);

    /// <summary>DistilBertForSequenceClassification.</summary>
    public static ClassificationKeys DistilBert { get; } = new("pre_classifier", "classifier", PoolingActivation.Relu, DefaultDropout: 0.2);

    /// <summary>ElectraClassificationHead.</summary>
    public static ClassificationKeys Electra { get; } = new("classifier.dense", "classifier.out_proj", PoolingActivation.Gelu, DropsInput: true);

    /// <summary>The key of the matrix with one row per class.</summary>
    public string ClassesWeight => $"{Classes}.weight";

    /// <summary>The key of the vector with one value per class.</summary>
    public string ClassesBias => $"{Classes}.bias";

    /// <summary>Whether the parameter with this key belongs to the head.</summary>
    public bool Holds(string key) =>
        key.StartsWith(Dense + ".", StringComparison.Ordinal) || key == ClassesWeight || key == ClassesBias;
}
