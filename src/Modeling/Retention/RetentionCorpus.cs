namespace MLNetLoRA;

/// <summary>Text of one kind that a model should still know after fine-tuning: what it was pretrained on, or something like it.</summary>
/// <remarks>Immutable. Each text stands alone: a paragraph, an article. Texts longer than a window are cut into windows.</remarks>
/// <param name="Name">What reports call it; no two corpora of one measurement share a name.</param>
/// <param name="Texts">One or more texts of two tokens or more each.</param>
/// <param name="Weight">
/// Its share in the total: above 0, and the weights of all corpora sum to 1 (0.005 of rounding is allowed and evened out). Null, the default,
/// for equal shares; either all corpora have a weight or none.
/// </param>
public sealed record RetentionCorpus(string Name, IReadOnlyList<string> Texts, double? Weight = null)
{
    /// <summary>The name of a corpus that was given as texts alone.</summary>
    public const string DefaultName = "texts";
}
