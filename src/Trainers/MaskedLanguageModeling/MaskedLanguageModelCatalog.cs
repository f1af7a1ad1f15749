using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Continued pretraining on a column of text, beside ML.NET's other text transforms.</summary>
public static class MaskedLanguageModelCatalog
{
    /// <summary>Goes on pretraining a model on unlabelled text, and turns texts into vectors of the outcome.</summary>
    /// <param name="catalog">mlContext.Transforms.Text.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="outputColumnName">Receives the mean of the text's last hidden states: features for any of ML.NET's trainers.</param>
    /// <param name="sentence1ColumnName">Text column: a paragraph a row, in reading order; an empty row ends a document.</param>
    /// <param name="batchSize">Windows of text in one pass, 1 or more.</param>
    /// <param name="maxEpochs">Passes over the text, 1 or more.</param>
    /// <param name="validationSet">Rows whose loss is reported after each epoch, and decides which epoch is kept; null for none.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static MaskedLanguageModelEstimator MaskedLanguageModel(
        this TransformsCatalog.TextTransforms catalog,
        PretrainedModel model,
        string outputColumnName = OptionDefaults.Features,
        string sentence1ColumnName = OptionDefaults.Sentence1,
        int batchSize = OptionDefaults.BatchSize,
        int maxEpochs = 1,
        IDataView? validationSet = null) =>
        catalog.MaskedLanguageModel(model, new MaskedLanguageModelOptions
        {
            OutputColumnName = outputColumnName,
            Sentence1ColumnName = sentence1ColumnName,
            BatchSize = batchSize,
            MaxEpochs = maxEpochs,
            ValidationSet = validationSet,
        });

    /// <summary>Goes on pretraining a model on unlabelled text, with all settings.</summary>
    /// <param name="catalog">mlContext.Transforms.Text.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="options">All settings.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static MaskedLanguageModelEstimator MaskedLanguageModel(
        this TransformsCatalog.TextTransforms catalog, PretrainedModel model, MaskedLanguageModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new MaskedLanguageModelEstimator(CatalogUtils.GetEnvironment(catalog), model, options);
    }
}
