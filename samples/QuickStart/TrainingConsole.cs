using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA;

namespace QuickStart;

/// <summary>Shows a fit while it runs: the trainers' lines from MLContext.Log, and a percentage that is overwritten in place.</summary>
internal sealed class TrainingConsole : IProgress<TrainingProgress>
{
    private static readonly string Blank = new(' ', 40);

    // In a file or a CI log, overwriting would leave hundreds of lines.
    private readonly bool _overwrites = !Console.IsOutputRedirected;
    private bool _progressIsShown;

    /// <summary>Takes a message of MLContext.Log; those of other components and finer detail are passed over.</summary>
    public void Write(object? sender, LoggingEventArgs message)
    {
        if (message.Kind is ChannelMessageKind.Trace || !message.Source.Contains("TextClassification", StringComparison.Ordinal)) return;
        EraseProgress();
        Console.WriteLine($"  {message.RawMessage}");
    }

    /// <summary>Called after every optimizer step, on the training thread.</summary>
    public void Report(TrainingProgress step)
    {
        if (!_overwrites) return;
        Console.Write($"\r  {100 * step.Step / step.TotalSteps,3} %, loss {step.Loss:F3}  ");
        _progressIsShown = true;
    }

    private void EraseProgress()
    {
        if (!_progressIsShown) return;
        Console.Write($"\r{Blank}\r");
        _progressIsShown = false;
    }
}
