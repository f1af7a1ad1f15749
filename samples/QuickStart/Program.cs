// QuickStart: teach a small pretrained text model to say what kind of thing a dictionary definition describes.
//
//   dotnet run --project samples/QuickStart -c Release -- [--short] [--device cpu|cuda|cuda:N] [--seed N]
//
// It fine-tunes the embedded base model by LoRA and in full, compares both with ML.NET's own n-gram classifier and with the same
// network without pretraining, looks for intruder dimensions in both and scales them down, then saves the LoRA model, loads it again
// and lets it judge a few definitions.

using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;
using Microsoft.ML.Transforms;
using MLNetLoRA;
using QuickStart;

// How often each method sees the training rows. LoRA changes few numbers and needs more passes than full fine-tuning.
const int LoraEpochs = 4;
const int FullEpochs = 3;

// Definitions are short; the few longer ones lose their end, and every batch is spared their padding.
const int MaxTokens = 32;

// What intruder dimensions are multiplied by: 1 leaves them as they are, 0 removes them.
const double IntruderScale = 0.7;

// What --short leaves: every step still runs, but nobody should read anything into the numbers.
const int ShortEpochs = 1;
const int ShortTrainingRows = 480;
const int ShortTestRows = 240;

// Numbers are printed with a decimal point wherever this runs.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;

try
{
    var arguments = Arguments.Parse(args);
    if (!arguments.Help) return Run(arguments);
    Console.WriteLine(Arguments.Usage);
    return 0;
}
catch (UsageException error)
{
    Console.Error.WriteLine($"{error.Message}\n{Arguments.Usage}");
    return 2;
}
catch (Exception error)
{
    // The library's messages say what was found and what to do, so they are shown without a stack trace, each with its cause.
    for (var cause = error; cause is not null; cause = cause.InnerException) Console.Error.WriteLine(cause.Message);
    return 1;
}

static int Run(Arguments arguments)
{
    // One seed for the whole program: row order, dropout, and every number that is drawn rather than learned.
    var ml = new MLContext(arguments.Seed);
    var console = new TrainingConsole();
    ml.Log += console.Write;

    // ---- 1. Data: two text columns. The test definitions were kept out of the base model's pretraining, too. ----
    var train = Load("definitions-train.tsv", ShortTrainingRows);
    var test = Load("definitions-test.tsv", ShortTestRows);

    // ---- 2. Pipelines: category names become keys, a trainer learns keys, the predicted key becomes a name again. ----
    var toKey = ml.Transforms.Conversion.MapValueToKey("Label", nameof(Definition.Category));
    var toName = ml.Transforms.Conversion.MapKeyToValue(nameof(Prediction.PredictedCategory), "PredictedLabel");

    // LoRA leaves the base model's weights as they are and learns a small correction beside each of its linear maps.
    var encoder = PretrainedModel.MiniEncoder;
    var byLora = toKey
        .Append(ml.MulticlassClassification.Trainers.LoraTextClassification(encoder, Options(LoraEpochs)))
        .Append(toName);

    // Full fine-tuning changes every weight of the base model.
    var inFull = toKey
        .Append(ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(encoder, Options(FullEpochs)))
        .Append(toName);

    // The yardstick: ML.NET's counts of words and letter groups with a linear classifier. One thread makes it repeatable.
    var byCounting = toKey
        .Append(ml.Transforms.Text.FeaturizeText("Features", nameof(Definition.Text)))
        .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy(
            new SdcaMaximumEntropyMulticlassTrainer.Options { NumberOfThreads = 1 }))
        .Append(toName);

    // The same network as above with nothing learned beforehand: the difference is what pretraining is worth.
    var fromNothing = toKey
        .Append(ml.MulticlassClassification.Trainers.FullFineTuningTextClassification(encoder.WithRandomWeights(), Options(FullEpochs)))
        .Append(toName);

    // ---- 3. Train and compare. Models hold native memory, so each is disposed; the LoRA model is kept for later. ----
    var table = new ResultTable();
    using var model = FitAndEvaluate("LoRA", byLora, isFineTuned: true);
    FitAndEvaluate("full fine-tuning", inFull, isFineTuned: true).Dispose();
    FitAndEvaluate("n-grams + SDCA (ML.NET)", byCounting).Dispose();
    FitAndEvaluate("same network, random weights", fromNothing).Dispose();
    table.Print();

    // ---- 4. Save, and load as another program would: a fresh MLContext, nothing to register. ----
    var path = Path.Combine(AppContext.BaseDirectory, "definitions.mlnet");
    ml.Model.SaveAtomically(model, train.Schema, path);
    Console.WriteLine($"\nSaved {Path.GetRelativePath(Environment.CurrentDirectory, path)} ({new FileInfo(path).Length / 1e6:F1} MB).");

    var fresh = new MLContext();
    var loaded = fresh.Model.Load(path, out _);
    using var loadedModel = (IDisposable)loaded;
    var difference = LargestDifference(Predict(model), Predict(loaded));
    Console.WriteLine($"Loaded again: its probabilities for the test rows differ by at most {difference:G2} from the trained model's.");
    if (difference > 1e-4)
    {
        Console.Error.WriteLine("That is more than rounding explains: the loaded model is not the one that was trained.");
        return 1;
    }

    // ---- 5. Use it: one text at a time through a prediction engine. ----
    using var engine = fresh.Model.CreatePredictionEngine<Definition, Prediction>(loaded);
    Console.WriteLine();
    foreach (var text in new[]
    {
        "a large grey animal with a trunk and two tusks that lives in herds",
        "a flat bread covered with tomatoes and melted cheese",
        "someone who repairs bicycles for a living",
        "an electric machine that washes dishes",
    })
    {
        var prediction = engine.Predict(new Definition { Text = text });
        Console.WriteLine($"{prediction.PredictedCategory,-14} {prediction.Score.Max(),5:P0}   {text}");
    }
    return 0;

    IDataView Load(string file, int shortRows)
    {
        // Copied beside the program by the project file, so that it does not matter where the program is started.
        var path = Path.Combine(AppContext.BaseDirectory, "data", file);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: no such file. Build samples/QuickStart again; it copies samples/data.");
        var rows = ml.Data.LoadFromTextFile<Definition>(path, hasHeader: true);
        if (!arguments.Short) return rows;
        // Drawn from the whole file, so that every category is among them.
        return ml.Data.TakeRows(ml.Data.ShuffleRows(rows, arguments.Seed, shufflePoolSize: 10_000, shuffleSource: false), shortRows);
    }

    TextClassificationOptions Options(int epochs) => new()
    {
        Sentence1ColumnName = nameof(Definition.Text),
        MaxEpochs = arguments.Short ? ShortEpochs : epochs,
        MaxTokens = MaxTokens,
        Device = arguments.Device,
        Progress = console,
    };

    // Fit and Transform are ML.NET's; a fine-tuned model is an ITransformer like any other.
    TransformerChain<KeyToValueMappingTransformer> FitAndEvaluate(
        string name, EstimatorChain<KeyToValueMappingTransformer> pipeline, bool isFineTuned = false)
    {
        Console.WriteLine(name);
        var clock = Stopwatch.StartNew();
        var fitted = pipeline.Fit(train);
        clock.Stop();
        var metrics = ml.MulticlassClassification.Evaluate(fitted.Transform(test));
        table.Add(name, metrics, TrainableParameters(fitted), clock.Elapsed, isFineTuned ? Repair(fitted) : null);
        return fitted;
    }

    // Intruder dimensions are singular directions of the fine-tuned weights that the pretrained ones do not have (arXiv 2410.21228). The
    // step that scales them down finds the model by its scores, and puts its own prediction in place of the model's.
    Repaired Repair(ITransformer fitted)
    {
        var intruders = ml.Model.InspectIntruders(fitted).IntruderCount;
        using var rescaling = ml.Transforms.RescaleIntruderDimensions(IntruderScale).Fit(fitted.Transform(train));
        var metrics = ml.MulticlassClassification.Evaluate(rescaling.Transform(fitted.Transform(test)));
        return new Repaired(intruders, metrics.MicroAccuracy);
    }

    List<Prediction> Predict(ITransformer transformer) =>
        [.. ml.Data.CreateEnumerable<Prediction>(transformer.Transform(test), reuseRowObject: false)];
}

// The chain's steps can be enumerated: each method's own step knows how many numbers it learned.
static long TrainableParameters(IEnumerable<ITransformer> steps) => steps.Sum(step => step switch
{
    TextClassificationTransformer fineTuned => fineTuned.TrainingReport.TrainableParameters,
    MulticlassPredictionTransformer<MaximumEntropyModelParameters> linear => LinearParameters(linear.Model),
    _ => 0,
});

// One weight for each class and n-gram, one bias for each class.
static long LinearParameters(MaximumEntropyModelParameters linear)
{
    VBuffer<float>[]? weights = null;
    linear.GetWeights(ref weights, out var classCount);
    return weights.Sum(ofClass => (long)ofClass.Length) + classCount;
}

static double LargestDifference(List<Prediction> ours, List<Prediction> theirs) =>
    ours.Zip(theirs).Max(pair => pair.First.Score.Zip(pair.Second.Score).Max(score => Math.Abs(score.First - score.Second)));

/// <summary>A row of the data: what kind of thing, and its definition.</summary>
internal sealed class Definition
{
    /// <summary>One of twelve semantic categories; empty where it is to be predicted.</summary>
    [LoadColumn(0)]
    public string Category { get; set; } = "";

    /// <summary>The definition.</summary>
    [LoadColumn(1)]
    public string Text { get; set; } = "";
}

/// <summary>What a model says about one definition.</summary>
internal sealed class Prediction
{
    /// <summary>The most probable category.</summary>
    public string PredictedCategory { get; set; } = "";

    /// <summary>One probability per category.</summary>
    public float[] Score { get; set; } = [];
}
