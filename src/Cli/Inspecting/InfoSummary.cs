using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Inspecting;

/// <summary>What <c>info --json</c> writes. A part that could not be read is null; <see cref="Problems"/> says why.</summary>
/// <param name="Base">What was inspected.</param>
/// <param name="Usable">Whether it can be fine-tuned as it is.</param>
/// <param name="Family"><c>model_type</c>.</param>
/// <param name="Sizes">Of the network.</param>
/// <param name="Weights">How the weights are stored.</param>
/// <param name="Parameters">How many numbers they are.</param>
/// <param name="Heads">What the checkpoint can do by itself.</param>
/// <param name="Tokenizer">Text to ids.</param>
/// <param name="LoraTargets">The linear maps that <c>--targets</c> may name.</param>
/// <param name="LearningRates">What the card recommends.</param>
/// <param name="UnusedTensors">Tensors that loading passes over.</param>
/// <param name="Notes">Worth knowing.</param>
/// <param name="Problems">What keeps it from being used, each with what to do.</param>
internal sealed record InfoSummary(
    string Base, bool Usable, string? Family, InfoSizes? Sizes, InfoWeights? Weights, InfoParameters? Parameters, InfoHeads? Heads,
    InfoTokenizer? Tokenizer, IReadOnlyList<ProjectionShape>? LoraTargets, InfoLearningRates? LearningRates, IReadOnlyList<string> UnusedTensors,
    IReadOnlyList<string> Notes, IReadOnlyList<string> Problems)
{
    public static InfoSummary Of(string name, CheckpointInspection inspection)
    {
        var (config, contents, tokenizer) = (inspection.Config, inspection.Contents, inspection.Tokenizer);
        return new InfoSummary(
            name,
            inspection.IsUsable,
            config?.ModelType,
            config is null ? null : InfoSizes.Of(config),
            contents is null ? null : new InfoWeights(inspection.WeightFiles, contents.DataTypes.Sum(type => type.ByteCount), contents.DataTypes),
            contents is null
                ? null
                : new InfoParameters(contents.ParameterCount, contents.EmbeddingParameters, contents.EncoderParameters, contents.HeadParameters),
            contents is null
                ? null
                : new InfoHeads(
                    contents.HasLanguageModelHead,
                    contents.ClassificationHead is { } head ? new InfoClassification(head.ClassCount, head.LabelNames) : null),
            tokenizer is null ? null : InfoTokenizer.Of(tokenizer),
            config is null ? null : SequenceClassifier.Slots(config),
            inspection.Card is { } card ? InfoLearningRates.Of(card) : null,
            contents?.UnusedKeys ?? [],
            inspection.Notes,
            inspection.Problems);
    }
}

/// <summary>Sizes as config.json has them, under BERT's names; <paramref name="MaxTokens"/> is the longest text.</summary>
internal sealed record InfoSizes(
    int Layers, int Hidden, int Heads, int Intermediate, int Embedding, int Vocabulary, int Positions, int MaxTokens, int TokenTypes)
{
    public static InfoSizes Of(EncoderConfig config) => new(
        config.LayerCount, config.HiddenSize, config.HeadCount, config.IntermediateSize, config.EmbeddingSize, config.VocabularySize,
        config.MaxPositions, config.MaxTokens, config.TypeVocabularySize);
}

/// <summary>Files (the shards, where there are several), bytes of what is used, and its types.</summary>
internal sealed record InfoWeights(IReadOnlyList<string> Files, long Bytes, IReadOnlyList<StoredType> Types);

internal sealed record InfoParameters(long Total, long Embeddings, long Encoder, long Heads);

/// <summary>Null where there is no such head.</summary>
internal sealed record InfoHeads(bool MaskedLm, InfoClassification? Classification);

/// <summary>Labels are null where config.json does not name them.</summary>
internal sealed record InfoClassification(int Classes, IReadOnlyList<string>? Labels);

internal sealed record InfoTokenizer(string Kind, int Vocabulary, InfoSpecialTokens SpecialTokens)
{
    public static InfoTokenizer Of(TextTokenizer tokenizer)
    {
        return new InfoTokenizer(tokenizer.Kind, tokenizer.VocabularySize, new InfoSpecialTokens(
            Token(tokenizer.PadId), Token(tokenizer.UnknownId), Token(tokenizer.ClassifyId), Token(tokenizer.SeparatorId), Token(tokenizer.MaskId)));

        InfoToken Token(int id) => new(tokenizer.Decode([id], keepSpecial: true), id);
    }
}

internal sealed record InfoSpecialTokens(InfoToken Pad, InfoToken Unknown, InfoToken Classify, InfoToken Separator, InfoToken Mask);

internal sealed record InfoToken(string Text, int Id);

/// <summary>Peak rates; LoRA's at the default alpha.</summary>
internal sealed record InfoLearningRates(double Full, double Lora, double LoraAlpha)
{
    public static InfoLearningRates Of(ModelCard card)
    {
        var alpha = new LoraOptions().EffectiveAlpha;
        return new InfoLearningRates(card.FullLearningRate, card.LoraLearningRate(alpha), alpha);
    }
}
