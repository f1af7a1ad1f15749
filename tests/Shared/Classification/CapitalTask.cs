using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Testing;

/// <summary>A row: eight letters, one of them a capital, which decides the label.</summary>
internal sealed class CapitalRow
{
    public string Label { get; set; } = "";
    public string Sentence1 { get; set; } = "";
    public string Sentence2 { get; set; } = "";
}

/// <summary>A task that a tiny network learns in seconds, and the tiny checkpoint it starts from.</summary>
internal static class CapitalTask
{
    public static readonly string[] Labels = ["ant", "bee", "cat"];

    private static readonly Lazy<PretrainedModel> Opened = new(() =>
    {
        using var folder = new TemporaryFolder();
        return PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.Keep()));
    });

    public static PretrainedModel Base => Opened.Value;

    public static CapitalRow[] Rows(int count, int seed = 1, int classes = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var letters = Enumerable.Range(0, 8).Select(_ => (char)random.Next('d', 'z')).ToArray();
            var label = random.Next(classes);
            letters[random.Next(letters.Length)] = (char)('A' + label);
            return new CapitalRow { Label = Labels[label], Sentence1 = new string(letters) };
        })];
    }

    /// <summary>Pairs of which only the second sentence tells the class.</summary>
    public static CapitalRow[] Pairs(int count, int seed = 1)
    {
        var firsts = Rows(count, seed, classes: 2);
        var seconds = Rows(count, seed + 1000, classes: 2);
        return [.. firsts.Zip(seconds, (first, second) => new CapitalRow
        {
            Label = second.Label, Sentence1 = first.Sentence1.ToLowerInvariant(), Sentence2 = second.Sentence1,
        })];
    }

    public static IDataView View(MLContext ml, IEnumerable<CapitalRow> rows) => ml.Data.LoadFromEnumerable(rows.ToArray());

    /// <summary>Rows with 'Label' mapped to keys, ant, bee, cat.</summary>
    public static IDataView Keyed(MLContext ml, IEnumerable<CapitalRow> rows, string[]? order = null)
    {
        var view = View(ml, rows);
        var keys = ml.Data.LoadFromEnumerable((order ?? Labels).Select(name => new { Label = name }));
        return ml.Transforms.Conversion.MapValueToKey("Label", keyData: keys).Fit(view).Transform(view);
    }

    /// <summary>What learns the task; a test changes the one thing it is about.</summary>
    public static TextClassificationOptions Options => new()
    {
        LearningRate = 1e-2,
        MaxEpochs = 6,
        BatchSize = 16,
        Seed = 5,
        Device = "cpu",
        Lora = new LoraOptions { Rank = 4 },
    };

    public static TextClassificationTrainer Trainer(
        MLContext ml, FineTuningMethod method = FineTuningMethod.Lora, TextClassificationOptions? options = null, PretrainedModel? model = null) =>
        method is FineTuningMethod.Lora
            ? ml.MulticlassClassification.Trainers.LoraTextClassification(model ?? Base, options ?? Options)
            : ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(model ?? Base, options ?? Options);

    public static TextClassificationTransformer Fit(
        FineTuningMethod method = FineTuningMethod.Lora, TextClassificationOptions? options = null, CapitalRow[]? rows = null, PretrainedModel? model = null)
    {
        var ml = new MLContext(1);
        return Trainer(ml, method, options, model).Fit(Keyed(ml, rows ?? Rows(64)));
    }

    /// <summary>How many parameters the network of a fit has; the fitted transformer's network has as many again.</summary>
    public static int ParameterCount(FineTuningMethod method, LoraOptions? lora = null)
    {
        using var randomness = new FitRandomness(1);
        var options = Options with { Lora = lora ?? Options.Lora };
        using var fit = new ClassifierFit(Base, method, options, Labels.Length, TorchSharp.torch.CPU, randomness);
        return fit.Network.parameters().Count();
    }

    /// <summary>One array of scores a row.</summary>
    public static float[][] Scores(ITransformer model, IEnumerable<CapitalRow> rows)
    {
        var ml = new MLContext(1);
        var scored = model.Transform(Keyed(ml, rows));
        return [.. Microsoft.ML.Data.ColumnCursorExtensions.GetColumn<float[]>(scored, "Score")];
    }
}
