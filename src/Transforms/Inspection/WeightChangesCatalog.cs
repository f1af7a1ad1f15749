using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>The matrices of fine-tuned models before and after, beside ML.NET's other model operations.</summary>
public static class WeightChangesCatalog
{
    /// <summary>What fine-tuning did to a model's weights, matrix by matrix, in the form that the spectral tools read and rescale.</summary>
    /// <remarks>A model whose intruders were rescaled is given as it is after that.</remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one.</param>
    /// <param name="scoreColumnName">The score column of the classifier meant; null where the chain has only one.</param>
    /// <param name="baseModel">The pretrained model, for a classifier that was saved without it; null where it is at hand.</param>
    /// <returns>Holds the weights it needs, also after the model was disposed. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; or the base given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static ClassifierChanges OpenWeightChanges(
        this ModelOperationsCatalog catalog, ITransformer model, string? scoreColumnName = null, PretrainedModel? baseModel = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        var found = ModelParts.Find(model, scoreColumnName);
        using var share = found.AcquireShare();
        return share.Resource.Classifier.OpenChanges(baseModel, [.. Enumerable.Range(0, found.Labels.Count).Select(found.Labels.Name)]);
    }
}
