using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>The columns that an encoder reads and writes, by name.</summary>
/// <param name="Sentence1">Text column.</param>
/// <param name="Features">Column written with the text's vector.</param>
/// <param name="Loss">Column written with the text's loss; null for none.</param>
internal sealed record EncoderColumns(string Sentence1, string Features, string? Loss)
{
    /// <summary>The component as the user typed it.</summary>
    public const string Component = "MaskedLanguageModel";

    /// <summary>What is computed of each row: the vector first, then the loss.</summary>
    /// <param name="width">Numbers of the vector.</param>
    public IReadOnlyList<ScoredColumn> Scored(int width)
    {
        var features = new ScoredColumn(
            Features, new VectorDataViewType(NumberDataViewType.Single, width), null, scores => ScoreGetters.Vector(scores, width));
        return Loss is { } name ? [features, new ScoredColumn(name, NumberDataViewType.Single, null, ScoreGetters.Last)] : [features];
    }
}
