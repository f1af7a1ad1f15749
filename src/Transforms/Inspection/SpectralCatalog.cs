using System.Diagnostics;
using Microsoft.ML;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>Looking into the weights of fine-tuned models, beside ML.NET's other model operations.</summary>
public static class SpectralCatalog
{
    private const string Component = "InspectIntruders";

    /// <summary>Finds the intruder dimensions of a fine-tuned model: singular directions of its weights that the pretrained weights do not have.</summary>
    /// <remarks>Source: arXiv 2410.21228, algorithm 1. A model whose intruders were rescaled is reported as it is after that.</remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; a setting is out of range; or the base given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base's files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static SpectralReport InspectIntruders(this ModelOperationsCatalog catalog, ITransformer model, IntruderInspectionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        options ??= new IntruderInspectionOptions();
        OptionFaults.ThrowIfAny(Component, options.Faults());
        var clock = Stopwatch.StartNew();
        using var share = ModelParts.Find(model, options.ScoreColumnName).AcquireShare();
        var classifier = share.Resource.Classifier;
        var targeted = new TargetedMatrices(classifier.Description.Base.Config, options.TargetModules);
        OptionFaults.ThrowIfAny(Component, targeted.Faults());

        using var changes = classifier.OpenChanges(options.BaseModel);
        var findings = new List<SpectralFinding>();
        foreach (var name in targeted.Of(changes.Names))
        {
            // One at a time: memory for a few matrices, whatever the model's size.
            var settings = options.Spectral.For(targeted.ShapeOf(name).Outputs, targeted.ShapeOf(name).Inputs);
            using var spectra = ModelSpectra.Measure(changes, [name], settings, classifier.Device, options.CancellationToken.ThrowIfCancellationRequested);
            findings.AddRange(spectra.Findings);
        }
        return new SpectralReport
        {
            BaseName = classifier.Description.Base.Name,
            Method = classifier.Description.Lora is null ? "full" : "lora",
            Matrices = findings,
            Skipped = changes.Skipped,
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }
}
