using Microsoft.ML;

namespace MLNetLoRA.Trainers;

/// <summary>What a fitted or loaded model is made of.</summary>
internal static class TransformerParts
{
    /// <summary>The transformers of a chain, and of chains in it, in their order; of any other model itself.</summary>
    public static IEnumerable<ITransformer> Of(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Of) : [model];
}
