using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Forwarding;

/// <summary>What a network takes.</summary>
/// <param name="ModelType">Its family, for messages.</param>
/// <param name="VocabularySize">Ids are below it.</param>
/// <param name="MaxTokens">The longest row.</param>
/// <param name="TypeVocabularySize">Token types are below it; 0 where there are none.</param>
/// <param name="ClassCount">The classes of a classifier; null for a language model.</param>
internal sealed record ForwardLimits(string ModelType, int VocabularySize, int MaxTokens, int TypeVocabularySize, int? ClassCount)
{
    public static ForwardLimits Of(CheckpointNetwork network) => new(
        network.Config.ModelType, network.Config.VocabularySize, network.Config.MaxTokens, network.Config.TypeVocabularySize, network.ClassCount);

    public static ForwardLimits Of(DecoderNetwork network) => new(
        network.Config.ModelType, network.Config.VocabularySize, network.Config.MaxPositions, TypeVocabularySize: 0, ClassCount: null);
}
