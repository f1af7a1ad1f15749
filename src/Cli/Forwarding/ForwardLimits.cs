using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Forwarding;

/// <summary>What a network takes.</summary>
/// <param name="ModelType">Its family, for messages.</param>
/// <param name="VocabularySize">Ids are below it.</param>
/// <param name="MaxTokens">The longest row.</param>
/// <param name="TypeVocabularySize">Token types are below it; 0 where there are none.</param>
/// <param name="ClassCount">The classes of a classifier; null for a language model.</param>
/// <param name="IsCausal">Whether a token is guessed from those before it, so that a row's first label counts for nothing.</param>
internal sealed record ForwardLimits(string ModelType, int VocabularySize, int MaxTokens, int TypeVocabularySize, int? ClassCount, bool IsCausal)
{
    public static ForwardLimits Of(CheckpointNetwork network) => new(
        network.Config.ModelType, network.Config.VocabularySize, network.Config.MaxTokens, network.Config.TypeVocabularySize, network.ClassCount, IsCausal: false);

    public static ForwardLimits Of(DecoderNetwork network) => new(
        network.Config.ModelType, network.Config.VocabularySize, network.Config.MaxPositions, TypeVocabularySize: 0, ClassCount: null, IsCausal: true);
}
