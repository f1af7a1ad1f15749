using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;

namespace MLNetLoRA.Cli.Training;

/// <summary><c>train --task masked</c> as it was typed, and the trainer's own options.</summary>
internal sealed record MaskedSettings(
    string Base, string? Tokenizer, string Data, string? Validation, string? Test, string? Text, char? Delimiter, int? Limit, bool InBFloat16,
    string? Out, string? Json, MaskedLanguageModelOptions Options);

/// <summary>Trains an encoder to guess masked tokens, tests it, writes a checkpoint folder.</summary>
internal sealed class MaskedTraining(MaskedSettings settings, Terminal terminal)
{
    public void Run(CancellationToken cancellation)
    {
        if (settings.Text is null && settings.Delimiter is not null)
            throw new BadInputException("--delimiter has no effect on plain text; leave it out, or give --text.");
        OutputPaths.Check(
            [("--json", settings.Json)],
            [("--data", settings.Data), ("--validation", settings.Validation), ("--test", settings.Test)]);
        if (settings.Out is { } planned) OutputPaths.CheckFolder(planned);
        if (settings.Options.CheckpointFolder is { } checkpoints) CheckCheckpoints(checkpoints);
        var training = Read(settings.Data, settings.Limit);
        var validation = settings.Validation is { } v ? Read(v, null) : null;
        var test = settings.Test is { } t ? Read(t, null) : null;
        var model = BaseModel.Open(settings.Base, settings.Tokenizer);

        using var fit = Train(model, training, validation, cancellation);
        var tested = test is null ? null : terminal.Follow("Testing", _ => Evaluate(fit, test));
        cancellation.ThrowIfCancellationRequested();
        if (settings.Out is { } folder) fit.SaveFolder(folder, settings.InBFloat16);

        var rows = new RowCounts(CountText(training), validation is null ? 0 : CountText(validation), test is null ? 0 : CountText(test));
        var summary = TrainingSummary<MaskedTest>.Of(fit.Report, rows, tested, PeakMemory.Bytes) with
        {
            Evaluations = [.. fit.Report.Evaluations.Select(EvaluationSummary.Of)],
        };
        JsonReport.Write(settings.Json, summary);
        terminal.Show(SummaryTable.Of(summary, tested is null ? [] : [("Test loss", $"{tested.Loss:F4} over {tested.Tokens:N0} masked tokens")]));
    }

    private void CheckCheckpoints(string folder)
    {
        OutputPaths.CheckFolder(folder);
        if (settings.Out is { } output && Path.GetFullPath(output) == Path.GetFullPath(folder))
            throw new BadInputException($"{folder}: --out and --checkpoint name the same folder; choose another for --checkpoint.");
    }

    private MaskedLanguageModelFit Train(
        PretrainedModel model, IReadOnlyList<string> training, IReadOnlyList<string>? validation, CancellationToken cancellation)
    {
        try
        {
            return terminal.Follow("Training", progress =>
            {
                var options = settings.Options with { Progress = new StepProgress(progress), CancellationToken = cancellation };
                return new MaskedLanguageModelTrainer(model, options).Train(training, validation, line => progress.Say(OptionNames.AsTyped(line)));
            });
        }
        catch (OperationCanceledException e) when (settings.Options.CheckpointFolder is { } folder)
        {
            throw new StoppedException($"Stopped; the same command with --resume goes on from the last checkpoint in {folder}.", e);
        }
    }

    private IReadOnlyList<string> Read(string path, int? limit) => Paragraphs.Read(path, settings.Text, settings.Delimiter, limit);

    private static MaskedTest Evaluate(MaskedLanguageModelFit fit, IReadOnlyList<string> test)
    {
        var (loss, tokens) = fit.Evaluate(test);
        return new MaskedTest(loss, tokens);
    }

    private static int CountText(IReadOnlyList<string> paragraphs) => paragraphs.Count(paragraph => paragraph.Length > 0);
}
