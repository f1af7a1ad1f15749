using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>Adapters as PEFT's files, beside ML.NET's other model operations.</summary>
public static class AdapterCatalog
{
    /// <summary>Writes the adapter of a LoRA classifier in PEFT's files: adapter_config.json and adapter_model.safetensors.</summary>
    /// <remarks>
    /// The classification head goes with it, as a module to save. Where intruders were rescaled, the factors are exact: each matrix has the
    /// adapter's rank plus the number of its rescaled vectors, and the configuration says so by rank_pattern and alpha_pattern.
    /// </remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one.</param>
    /// <param name="folder">Created when missing; an adapter in it is replaced.</param>
    /// <param name="scoreColumnName">The score column of the classifier meant; null where the chain has only one.</param>
    /// <exception cref="ArgumentException">The model holds no fine-tuned text classifier, or several and none is named.</exception>
    /// <exception cref="InvalidOperationException">The classifier was fine-tuned in full: there is no adapter.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void SaveAdapter(this ModelOperationsCatalog catalog, ITransformer model, string folder, string? scoreColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        using var share = ModelParts.Find(model, scoreColumnName).AcquireShare();
        var classifier = share.Resource.Classifier;
        using var adapter = classifier.ToAdapter();
        PeftFolder.Write(folder, adapter, classifier.Description);
    }
}
