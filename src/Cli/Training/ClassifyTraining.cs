using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;

namespace MLNetLoRA.Cli.Training;

/// <summary><c>train --task classify</c> as it was typed, and the trainer's own options.</summary>
/// <remarks>Without a base there is an initial model; without a method or an adapter's shape the initial model's are taken, or the defaults.</remarks>
internal sealed record ClassifySettings(
    string? Base, string? Tokenizer, string? Initial, string Data, string? Validation, string? Test, string? Label, string? Text, string? TextPair, char? Delimiter,
    int? Limit, FineTuningMethod? Method, LoraOptions? Lora, string? Out, string? AdapterOut, string? Json, TextClassificationOptions Options);

/// <summary>Fine-tunes a classifier inside an ML.NET pipeline, tests it, saves it.</summary>
internal sealed class ClassifyTraining(ClassifySettings settings, Terminal terminal)
{
    private const string PredictedLabel = "PredictedLabel";
    private const string Score = "Score";

    public void Run(CancellationToken cancellation)
    {
        CheckOutputs();
        var training = Read(settings.Data, settings.Limit);
        var validation = settings.Validation is { } v ? Read(v, null) : null;
        var test = settings.Test is { } t ? Read(t, null) : null;
        var ml = new MLContext(settings.Options.Seed);
        using var initial = settings.Initial is { } path ? InitialClassifierFile.Load(ml, path) : null;
        var method = settings.Method ?? (initial is { Classifier.Lora: null } ? FineTuningMethod.Full : FineTuningMethod.Lora);
        if (settings.AdapterOut is not null && method is FineTuningMethod.Full)
            throw new BadInputException("--adapter-out has no effect here: the initial model was fine-tuned in full, and so it goes on. Leave it out.");
        CheckLabels(training, validation, test, initial?.Classifier.ClassNames ?? []);
        var model = settings.Base is { } name ? BaseModel.Open(name, settings.Tokenizer) : initial!.Classifier.BaseModel;

        using var fitted = terminal.Follow("Training", progress => Fit(ml, model, method, initial, training, validation, progress, cancellation));
        var tested = test is null ? null : terminal.Follow("Testing", _ => Evaluate(ml, fitted, test));
        cancellation.ThrowIfCancellationRequested();
        var report = fitted.LastTransformer.TrainingReport;
        if (settings.Out is { } file) Save(ml, fitted, training, file);
        if (settings.AdapterOut is { } folder) ml.Model.SaveAdapter(fitted, folder);

        var rows = new RowCounts(report.TrainingRows, validation?.Rows.Count ?? 0, test?.Rows.Count ?? 0);
        var summary = TrainingSummary<ClassificationTest>.Of(report, rows, tested, PeakMemory.Bytes);
        JsonReport.Write(settings.Json, summary);
        terminal.Show(SummaryTable.Of(summary, Describe(tested)));
    }

    private void CheckOutputs()
    {
        (string, string?)[] inputs =
            [("--data", settings.Data), ("--validation", settings.Validation), ("--test", settings.Test), ("--initial", settings.Initial)];
        OutputPaths.Check([("--out", settings.Out), ("--json", settings.Json)], inputs);
        if (settings.AdapterOut is not { } folder) return;
        OutputPaths.CheckFolder(folder);
        // What an adapter consists of replaces nothing else that is read; a base beside it could no longer be told from it.
        if (settings.Base is { } name && Directory.Exists(name)) OutputPaths.CheckApart("--adapter-out", folder, [("--base", name)]);
    }

    private TextTable Read(string path, int? limit)
    {
        var table = TextTable.Read(path, settings.Delimiter, ChooseColumns, limit);
        var label = table.IndexOf(settings.Label!);
        if (table.Rows.FirstOrDefault(row => string.IsNullOrWhiteSpace(row.Fields[label])) is { } unlabelled)
            throw new BadInputException($"{path}: line {unlabelled.Line} has no label in column '{settings.Label}'; give it one or remove the row.");
        return table;
    }

    private IReadOnlyList<string> ChooseColumns(IReadOnlyList<string> header)
    {
        var here = $"the header of {settings.Data} has {TextTable.List(header)}.";
        if (settings.Label is null) throw new BadInputException($"--label is missing: the column with the class; {here}");
        if (settings.Text is null) throw new BadInputException($"--text is missing: the column with the text; {here}");
        if (settings.Label is PredictedLabel or Score)
            throw new BadInputException($"--label is '{settings.Label}', a column that the trained model adds; rename the column in the data.");
        string[] columns = [settings.Label, settings.Text, .. settings.TextPair is { } pair ? [pair] : Array.Empty<string>()];
        return columns.Distinct().Count() == columns.Length ? columns : throw new BadInputException(
            $"--label, --text and --text-pair must be different columns; '{columns.CountBy(name => name).First(pair => pair.Value > 1).Key}' is given twice.");
    }

    private void CheckLabels(TextTable training, TextTable? validation, TextTable? test, IReadOnlyList<string> before)
    {
        var known = Labels(training);
        if (known.Count < 2)
            throw new BadInputException(
                $"{training.Path}: all {training.Rows.Count} rows have the label '{known.First()}'; classification needs two or more classes.");
        known.UnionWith(before);
        foreach (var held in new[] { validation, test })
        {
            if (held is null) continue;
            var unseen = Labels(held).Except(known).ToList();
            if (unseen.Count > 0)
                throw new BadInputException($"{held.Path}: {(unseen.Count == 1 ? "a label is" : "labels are")} unseen in training: {TextTable.List(unseen)}; "
                    + $"{training.Path} has {TextTable.List([.. known])}{(settings.Limit is null ? "" : $" in the first {settings.Limit} rows")}.");
        }

        HashSet<string> Labels(TextTable table)
        {
            var label = table.IndexOf(settings.Label!);
            return [.. table.Rows.Select(row => row.Fields[label])];
        }
    }

    private TransformerChain<TextClassificationTransformer> Fit(
        MLContext ml, PretrainedModel model, FineTuningMethod method, InitialClassifierFile? initial, TextTable training, TextTable? validation, WorkProgress progress,
        CancellationToken cancellation)
    {
        var options = settings.Options with
        {
            LabelColumnName = settings.Label!,
            Sentence1ColumnName = settings.Text!,
            Sentence2ColumnName = settings.TextPair,
            ScoreColumnName = Score,
            OutputColumnName = PredictedLabel,
            ValidationSet = validation is null ? null : TextTableView.Of(validation),
            Lora = settings.Lora ?? initial?.Classifier.Lora ?? new LoraOptions(),
            InitialModel = initial?.Initial,
            Progress = new StepProgress(progress),
            CancellationToken = cancellation,
        };
        var trainers = ml.MulticlassClassification.Trainers;
        var trainer = method is FineTuningMethod.Lora
            ? trainers.LoraTextClassification(model, options)
            : trainers.FullFineTuningTextClassification(model, options);
        ml.Log += (_, entry) =>
        {
            var isOurs = entry.Source.Contains("TextClassification", StringComparison.Ordinal);
            if (isOurs && entry.Kind is ChannelMessageKind.Info or ChannelMessageKind.Warning)
                progress.Say(OptionNames.AsTyped(entry.RawMessage));
        };
        return KeyOrder(ml, training, initial).Append(trainer).Fit(TextTableView.Of(training));
    }

    // Evaluate compares keys by number, so they are numbered as the model numbers its classes: the initial model's first.
    private IEstimator<ITransformer> KeyOrder(MLContext ml, TextTable training, InitialClassifierFile? initial)
    {
        if (initial is null) return ml.Transforms.Conversion.MapValueToKey(settings.Label!);
        var label = training.IndexOf(settings.Label!);
        var names = initial.Classifier.ClassNames.Concat(training.Rows.Select(row => row.Fields[label])).Distinct();
        return ml.Transforms.Conversion.MapValueToKey(
            settings.Label!, keyData: ml.Data.LoadFromEnumerable(names.Select(name => new ClassName { Value = name })));
    }

    private ClassificationTest Evaluate(MLContext ml, ITransformer fitted, TextTable test)
    {
        var metrics = ml.MulticlassClassification.Evaluate(
            fitted.Transform(TextTableView.Of(test)), settings.Label, Score, PredictedLabel);
        return new ClassificationTest(metrics.MicroAccuracy, metrics.MacroAccuracy, metrics.LogLoss);
    }

    // Predictions leave the saved model as the labels' own text; Evaluate wants them as keys, so the last step joins only here.
    private static void Save(MLContext ml, TransformerChain<TextClassificationTransformer> fitted, TextTable training, string path)
    {
        var view = TextTableView.Of(training);
        var model = fitted.Append(ml.Transforms.Conversion.MapKeyToValue(PredictedLabel).Fit(fitted.Transform(view)));
        ml.Model.SaveAtomically(model, view.Schema, path);
    }

    private static IEnumerable<(string, string)> Describe(ClassificationTest? test) => test is null
        ? []
        : [("Test accuracy", $"{test.Accuracy:F4}"), ("Test macro accuracy", $"{test.MacroAccuracy:F4}"), ("Test log-loss", $"{test.LogLoss:F4}")];

    private sealed class ClassName
    {
        public string Value { get; set; } = "";
    }
}
