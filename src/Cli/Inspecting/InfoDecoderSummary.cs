using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Inspecting;

/// <summary>What <c>info --json</c> writes of a decoder. A part that could not be read is null; <see cref="Problems"/> says why.</summary>
/// <param name="Base">What was inspected.</param>
/// <param name="Usable">Whether it can generate as it is.</param>
/// <param name="Family"><c>model_type</c>.</param>
/// <param name="Sizes">Of the network.</param>
/// <param name="Weights">How the weights are stored.</param>
/// <param name="Parameters">How many numbers they are.</param>
/// <param name="Tokenizer">Text to ids.</param>
/// <param name="LoraTargets">The linear maps that an adapter may change.</param>
/// <param name="UnusedTensors">Tensors that loading passes over.</param>
/// <param name="Problems">What keeps it from being used, each with what to do.</param>
internal sealed record InfoDecoderSummary(
    string Base, bool Usable, string? Family, InfoDecoderSizes? Sizes, InfoWeights? Weights, InfoDecoderParameters? Parameters,
    InfoDecoderTokenizer? Tokenizer, IReadOnlyList<ProjectionShape>? LoraTargets, IReadOnlyList<string> UnusedTensors, IReadOnlyList<string> Problems)
{
    public static InfoDecoderSummary Of(string name, DecoderInspection inspection)
    {
        var (config, types) = (inspection.Config, inspection.DataTypes);
        return new InfoDecoderSummary(
            name,
            inspection.IsUsable,
            config?.ModelType,
            config is null ? null : InfoDecoderSizes.Of(config),
            types.Count == 0 ? null : new InfoWeights(inspection.WeightFiles, types.Sum(type => type.ByteCount), types),
            types.Count == 0
                ? null
                : new InfoDecoderParameters(inspection.ParameterCount, inspection.EmbeddingParameters, inspection.DecoderParameters, inspection.HeadParameters),
            inspection.Tokenizer is { } tokenizer ? InfoDecoderTokenizer.Of(tokenizer) : null,
            config is null ? null : CausalLanguageModel.Slots(config),
            inspection.UnusedKeys,
            inspection.Problems);
    }
}

/// <summary>Sizes as config.json has them; <paramref name="SlidingWindow"/> is null where every token sees all before it.</summary>
internal sealed record InfoDecoderSizes(
    int Layers, int Hidden, int Heads, int KeyValueHeads, int HeadSize, int Intermediate, int Vocabulary, int MaxTokens, int? SlidingWindow, bool TiedHead)
{
    public static InfoDecoderSizes Of(DecoderConfig config) => new(
        config.LayerCount, config.HiddenSize, config.HeadCount, config.KeyValueHeadCount, config.HeadSize, config.IntermediateSize,
        config.VocabularySize, config.MaxPositions, config.SlidingWindow, config.TieWordEmbeddings);
}

internal sealed record InfoDecoderParameters(long Total, long Embeddings, long Decoder, long Head);

/// <summary>Tokens are null where the tokenizer has none for the role.</summary>
internal sealed record InfoDecoderTokenizer(string Kind, int Vocabulary, InfoToken? Begin, InfoToken? End)
{
    public static InfoDecoderTokenizer Of(TextTokenizer tokenizer)
    {
        return new InfoDecoderTokenizer(tokenizer.Kind, tokenizer.VocabularySize, Token(tokenizer.BeginId), Token(tokenizer.EndId));

        InfoToken? Token(int? id) => id is { } known ? new(tokenizer.Decode([known], keepSpecial: true), known) : null;
    }
}
