using Microsoft.ML;
using Microsoft.ML.Trainers;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary>One way to learn a task; everything but the seed stands at its default.</summary>
internal sealed record Contender(string Name, string Title, Func<MLContext, PretrainedModel, int, IEstimator<ITransformer>> Trainer)
{
    public static readonly IReadOnlyList<Contender> All =
    [
        new("lora", "LoRA", (ml, model, seed) => ml.MulticlassClassification.Trainers.LoraTextClassification(model, Options(seed))),
        new("full", "full fine-tuning", (ml, model, seed) => ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(model, Options(seed))),
        new("lora-random", "LoRA, random weights",
            (ml, model, seed) => ml.MulticlassClassification.Trainers.LoraTextClassification(model.WithRandomWeights(), Options(seed))),
        new("full-random", "full fine-tuning, random weights",
            (ml, model, seed) => ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(model.WithRandomWeights(), Options(seed))),
        new("ngrams", "n-grams + SDCA (ML.NET)", (ml, _, _) => ml.Transforms.Text.FeaturizeText("Features", nameof(ClassificationTask.Row.Text))
            .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy(
                // One thread: with several, SDCA's result depends on how they interleave.
                new SdcaMaximumEntropyMulticlassTrainer.Options { NumberOfThreads = 1 }))),
    ];

    /// <summary>Whether the base model's own weights play a part: then other weights are another measurement.</summary>
    public bool UsesBaseWeights => Name is "lora" or "full";

    private static TextClassificationOptions Options(int seed) => new()
    {
        Sentence1ColumnName = nameof(ClassificationTask.Row.Text),
        Seed = seed,
        Device = "cpu",
    };
}
