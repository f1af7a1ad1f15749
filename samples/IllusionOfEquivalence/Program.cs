// IllusionOfEquivalence: are LoRA and full fine-tuning the same because they reach the same accuracy?
//
//   dotnet run --project samples/IllusionOfEquivalence -c Release -- [--short | --full] [--runs DIR] [--out DIR] [--device cpu|cuda|cuda:N]
//
// It fine-tunes the embedded base model in many ways on one task, measures of each what it learned, what it forgot and which intruder
// dimensions it has, and holds the outcome against the findings of "LoRA vs Full Fine-tuning: An Illusion of Equivalence" (arXiv 2410.21228).

using System.Globalization;
using IllusionOfEquivalence;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA;

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
    var ml = new MLContext(seed: 1);
    var encoder = PretrainedModel.MiniEncoder;
    var size = arguments.Full ? StudySize.Full : StudySize.Short;

    // ---- 1. Data: a task to learn, and English that the base was pretrained on texts like. ----
    var train = Load("definitions-train.tsv", size.TrainingRows);
    var test = Load("definitions-test.tsv", size.TestRows);
    // Every second document measures what is forgotten; the others are what the balanced repair may read.
    var documents = Documents("retention.txt");
    RetentionCorpus[] retention = [new("retention", [.. documents.Where((_, place) => place % 2 == 0)])];

    // ---- 2. What is trained, and what is measured of each model. ----
    var settings = new StudySettings
    {
        Variants = arguments.Full ? StudySettings.PaperVariants(encoder) : ShortVariants(encoder),
        Seeds = size.Seeds,
        Training = new TextClassificationOptions
        {
            LabelColumnName = nameof(Definition.Category),
            Sentence1ColumnName = nameof(Definition.Text),
            MaxEpochs = size.Epochs,
            MaxTokens = 32,
            Device = arguments.Device,
        },
        Forgetting = new ForgettingOptions { Positions = size.Positions, MaxTokens = 64, Device = arguments.Device },
        Repair = new RepairCurveOptions { Scales = size.Scales },
        BalanceTexts = [.. documents.Where((_, place) => place % 2 == 1)],
        BalanceStrengths = size.Strengths,
        RunsFolder = arguments.Runs,
        Progress = new StudyConsole(),
    };

    // ---- 3. Train and measure; the runs that a folder keeps are not made again. ----
    var report = ml.RunStudy(encoder, train, test, retention, settings);

    // ---- 4. What came out, here and as files. ----
    ClaimTable.Print(report);
    Directory.CreateDirectory(arguments.Out);
    var path = Path.Combine(arguments.Out, "illusion-of-equivalence");
    report.ToDocument().SaveHtml($"{path}.html");
    File.WriteAllText($"{path}.md", report.ToMarkdown());
    File.WriteAllText($"{path}.json", report.ToJson());
    Console.WriteLine($"\nReport: {path}.html, with the same numbers as .md and .json.");
    if (!arguments.Full) Console.WriteLine("This was the short form: every step ran, but its numbers mean nothing. The long form is --full.");
    return 0;

    IDataView Load(string file, int rows)
    {
        var data = ml.Data.LoadFromTextFile<Definition>(PathOf(file), hasHeader: true);
        // Drawn from the whole file, so that every category is among them.
        return ml.Data.Cache(ml.Data.TakeRows(ml.Data.ShuffleRows(data, seed: 1, shufflePoolSize: 10_000, shuffleSource: false), rows));
    }
}

// One rate each, two ranks: enough for every step to run.
static IReadOnlyList<StudyVariant> ShortVariants(PretrainedModel encoder) =>
[
    new(StudyTuning.Full),
    new(StudyTuning.Lora(1)),
    new(StudyTuning.Lora(8)) { LearningRates = [encoder.Card.LoraLearningRate(16), 2 * encoder.Card.LoraLearningRate(16)], MeasuresRepair = true },
    new(StudyTuning.Lora(8, trainsOnlyB: true)),
];

// A blank line ends a document.
static string[] Documents(string file) =>
    File.ReadAllText(PathOf(file)).ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

// Copied beside the program by the project file, so that it does not matter where the program is started.
static string PathOf(string file)
{
    var path = Path.Combine(AppContext.BaseDirectory, "data", file);
    return File.Exists(path) ? path : throw new FileNotFoundException($"{path}: no such file. Build samples/IllusionOfEquivalence again; it copies samples/data.");
}

/// <summary>A row of the data: what kind of thing, and its definition.</summary>
internal sealed class Definition
{
    /// <summary>One of twelve semantic categories.</summary>
    [LoadColumn(0)]
    public string Category { get; set; } = "";

    /// <summary>The definition.</summary>
    [LoadColumn(1)]
    public string Text { get; set; } = "";
}
