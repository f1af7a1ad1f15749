using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>A fine-tuned text classifier from which another fit goes on.</summary>
/// <remarks>Immutable. A transformer that is given stays the caller's, and stays as it is.</remarks>
public sealed class InitialModel
{
    private const string Given = "the model given";

    private InitialModel(string? path, TextClassificationTransformer? classifier) => (Path, Classifier) = (path, classifier);

    /// <summary>The model file; null where a transformer was given.</summary>
    public string? Path { get; }

    /// <summary>The fine-tuned classifier; null where it is read from a file when a fit starts.</summary>
    public TextClassificationTransformer? Classifier { get; }

    /// <summary>What it is called in messages.</summary>
    internal string Name => Path is { } path ? $"'{path}'" : Given;

    /// <summary>A model file, as ml.Model.Save writes it; it is opened when a fit starts. Open only files you trust.</summary>
    /// <param name="path">Of the file.</param>
    public static InitialModel FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return new InitialModel(path, null);
    }

    /// <summary>A fitted or loaded transformer: a <see cref="TextClassificationTransformer"/>, or a chain that holds exactly one.</summary>
    /// <remarks>What stands behind the classifier in a chain has no part in training.</remarks>
    /// <param name="model">Must not be disposed before the fit has ended.</param>
    /// <exception cref="ArgumentException">It holds no fine-tuned text classifier, or several.</exception>
    public static InitialModel From(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new InitialModel(null, Find(model, Given));
    }

    /// <exception cref="ArgumentException">The model holds no fine-tuned text classifier, or several.</exception>
    internal static TextClassificationTransformer Find(ITransformer model, string name)
    {
        var parts = TransformerParts.Of(model).ToList();
        return parts.OfType<TextClassificationTransformer>().ToList() switch
        {
            [var only] => only,
            [] => throw new ArgumentException(
                $"InitialModel: {name} holds no fine-tuned text classifier ({string.Join(", ", parts.Select(part => part.GetType().Name))}). "
                + "Give a model that LoraTextClassification or FullFineTuningTextClassification made."),
            var several => throw new ArgumentException(
                $"InitialModel: {name} holds {several.Count} fine-tuned text classifiers. Give the one to go on from."),
        };
    }
}
