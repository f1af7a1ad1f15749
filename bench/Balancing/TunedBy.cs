using Microsoft.ML;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>One way to fine-tune; everything but rank, seed and device stands at its default.</summary>
/// <param name="Name">In file names and on the command line.</param>
/// <param name="Title">In tables.</param>
/// <param name="Rank">Of LoRA; null for full fine-tuning.</param>
internal sealed record TunedBy(string Name, string Title, int? Rank)
{
    public static readonly IReadOnlyList<TunedBy> All =
        [new("lora1", "LoRA r 1", 1), new("lora8", "LoRA r 8", 8), new("lora64", "LoRA r 64", 64), new("full", "full", null)];

    public IEstimator<TextClassificationTransformer> Trainer(MLContext ml, PretrainedModel model, int seed, int? epochs)
    {
        var options = new TextClassificationOptions { Sentence1ColumnName = nameof(BalanceTask.Row.Text), Seed = seed, Device = "cpu" };
        if (epochs is { } count) options = options with { MaxEpochs = count };
        return Rank is { } rank
            ? ml.MulticlassClassification.Trainers.LoraTextClassification(model, options with { Lora = new LoraOptions { Rank = rank } })
            : ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(model, options);
    }
}
