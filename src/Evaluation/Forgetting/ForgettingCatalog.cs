using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

namespace MLNetLoRA;

/// <summary>Measuring what fine-tuned models forgot, beside ML.NET's other model operations.</summary>
public static class ForgettingCatalog
{
    /// <summary>Measures how much of its pretraining a fine-tuned model lost: its loss on retention text less that of its base.</summary>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; rescalings after it count.</param>
    /// <param name="texts">What the base was pretrained on, or text like it: each a paragraph or more.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// The model holds no fine-tuned text classifier, or several and none is named; a setting is out of range; a text is too short; or the base
    /// given is another.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model was saved without its base, and none is given.</exception>
    /// <exception cref="InvalidDataException">The base has no language-model head, or its files cannot be read or have changed.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static ForgettingReport EvaluateForgetting(
        this ModelOperationsCatalog catalog, ITransformer model, IEnumerable<string> texts, ForgettingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return EvaluateForgetting(catalog, model, [new RetentionCorpus(RetentionCorpus.DefaultName, [.. texts])], options);
    }

    /// <summary>As the form that takes texts, with one or more corpora: a mix of domains, weighted.</summary>
    /// <inheritdoc cref="EvaluateForgetting(ModelOperationsCatalog, ITransformer, IEnumerable{string}, ForgettingOptions)"/>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; rescalings after it count.</param>
    /// <param name="corpora">Retention text.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    public static ForgettingReport EvaluateForgetting(
        this ModelOperationsCatalog catalog, ITransformer model, IReadOnlyList<RetentionCorpus> corpora, ForgettingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(corpora);
        options ??= new ForgettingOptions();
        OptionFaults.ThrowIfAny(ForgettingEvaluation.Component, options.ColumnFaults());
        using var share = ModelParts.Find(model, options.ScoreColumnName).AcquireShare();
        var classifier = share.Resource.Classifier;
        return ForgettingEvaluation.Of(
            options.BaseModel ?? classifier.Description.Base, device => LanguageModelState.OfClassifier(classifier, device, options.BaseModel), corpora, options,
            classifier.Device);
    }

    /// <summary>As the form that takes texts, with a column of data.</summary>
    /// <inheritdoc cref="EvaluateForgetting(ModelOperationsCatalog, ITransformer, IEnumerable{string}, ForgettingOptions)"/>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one; rescalings after it count.</param>
    /// <param name="data">Retention text, one text a row.</param>
    /// <param name="textColumnName">The text column.</param>
    /// <param name="options">All settings; null for the defaults.</param>
    public static ForgettingReport EvaluateForgetting(
        this ModelOperationsCatalog catalog, ITransformer model, IDataView data, string textColumnName, ForgettingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrWhiteSpace(textColumnName);
        if (data.Schema.GetColumnOrNull(textColumnName) is not { Type: TextDataViewType } column)
            throw new ArgumentException(
                $"{ForgettingEvaluation.Component}: there is no text column '{textColumnName}'; the data has "
                + $"{string.Join(", ", data.Schema.Where(one => one.Type is TextDataViewType).Select(one => $"'{one.Name}'"))}.", nameof(textColumnName));
        return EvaluateForgetting(catalog, model, data.GetColumn<string>(column), options);
    }
}
