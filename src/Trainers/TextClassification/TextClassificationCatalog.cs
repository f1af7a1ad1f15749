using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>Text classification by fine-tuning, beside ML.NET's other multiclass trainers.</summary>
public static class TextClassificationCatalog
{
    /// <summary>Fine-tunes a pretrained model by LoRA: its own weights stay as they are, small corrections beside them are learned.</summary>
    /// <param name="catalog">mlContext.MulticlassClassification.Trainers.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="labelColumnName">Key column with the class of each row.</param>
    /// <param name="scoreColumnName">Receives one probability per class.</param>
    /// <param name="outputColumnName">Receives the predicted class, as a key with the label's values.</param>
    /// <param name="sentence1ColumnName">Text column.</param>
    /// <param name="sentence2ColumnName">Text column with the second text of a pair; null for single texts.</param>
    /// <param name="batchSize">Rows in one pass, 1 or more.</param>
    /// <param name="maxEpochs">Passes over the training rows, 1 or more; fewer when validation stops improving.</param>
    /// <param name="validationSet">Rows that judge each epoch; null for none.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static TextClassificationTrainer LoraTextClassification(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        PretrainedModel model,
        string labelColumnName = OptionDefaults.Label,
        string scoreColumnName = OptionDefaults.Score,
        string outputColumnName = OptionDefaults.PredictedLabel,
        string sentence1ColumnName = OptionDefaults.Sentence1,
        string? sentence2ColumnName = null,
        int batchSize = OptionDefaults.BatchSize,
        int maxEpochs = OptionDefaults.MaxEpochs,
        IDataView? validationSet = null) =>
        catalog.LoraTextClassification(model, Options(
            labelColumnName, scoreColumnName, outputColumnName, sentence1ColumnName, sentence2ColumnName, batchSize, maxEpochs, validationSet));

    /// <summary>Fine-tunes a pretrained model by LoRA, with all settings.</summary>
    /// <param name="catalog">mlContext.MulticlassClassification.Trainers.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="options">All settings.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static TextClassificationTrainer LoraTextClassification(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, PretrainedModel model, TextClassificationOptions options) =>
        Create(catalog, model, FineTuningMethod.Lora, options);

    /// <summary>Fine-tunes all weights of a pretrained model.</summary>
    /// <param name="catalog">mlContext.MulticlassClassification.Trainers.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="labelColumnName">Key column with the class of each row.</param>
    /// <param name="scoreColumnName">Receives one probability per class.</param>
    /// <param name="outputColumnName">Receives the predicted class, as a key with the label's values.</param>
    /// <param name="sentence1ColumnName">Text column.</param>
    /// <param name="sentence2ColumnName">Text column with the second text of a pair; null for single texts.</param>
    /// <param name="batchSize">Rows in one pass, 1 or more.</param>
    /// <param name="maxEpochs">Passes over the training rows, 1 or more; fewer when validation stops improving.</param>
    /// <param name="validationSet">Rows that judge each epoch; null for none.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static TextClassificationTrainer FullFineTuningTextClassification(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        PretrainedModel model,
        string labelColumnName = OptionDefaults.Label,
        string scoreColumnName = OptionDefaults.Score,
        string outputColumnName = OptionDefaults.PredictedLabel,
        string sentence1ColumnName = OptionDefaults.Sentence1,
        string? sentence2ColumnName = null,
        int batchSize = OptionDefaults.BatchSize,
        int maxEpochs = OptionDefaults.MaxEpochs,
        IDataView? validationSet = null) =>
        catalog.FullFineTuningTextClassification(model, Options(
            labelColumnName, scoreColumnName, outputColumnName, sentence1ColumnName, sentence2ColumnName, batchSize, maxEpochs, validationSet));

    /// <summary>Fine-tunes all weights of a pretrained model, with all settings.</summary>
    /// <param name="catalog">mlContext.MulticlassClassification.Trainers.</param>
    /// <param name="model">What to start from.</param>
    /// <param name="options">All settings; Lora has no effect.</param>
    /// <exception cref="ArgumentException">A setting is out of range; the message lists every fault.</exception>
    public static TextClassificationTrainer FullFineTuningTextClassification(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, PretrainedModel model, TextClassificationOptions options) =>
        Create(catalog, model, FineTuningMethod.Full, options);

    private static TextClassificationTrainer Create(
        MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, PretrainedModel model, FineTuningMethod method,
        TextClassificationOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new TextClassificationTrainer(CatalogUtils.GetEnvironment(catalog), model, method, options);
    }

    private static TextClassificationOptions Options(
        string label, string score, string output, string sentence1, string? sentence2, int batchSize, int maxEpochs, IDataView? validationSet) =>
        new()
        {
            LabelColumnName = label,
            ScoreColumnName = score,
            OutputColumnName = output,
            Sentence1ColumnName = sentence1,
            Sentence2ColumnName = sentence2,
            BatchSize = batchSize,
            MaxEpochs = maxEpochs,
            ValidationSet = validationSet,
        };
}
