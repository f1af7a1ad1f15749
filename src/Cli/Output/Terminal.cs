using Spectre.Console;
using Spectre.Console.Rendering;

namespace MLNetLoRA.Cli.Output;

/// <summary>Where a verb speaks: results on standard output, everything else on standard error.</summary>
/// <remarks>Bars and colours appear only on a terminal (and colours not under NO_COLOR); a file or pipe gets plain lines.</remarks>
internal sealed class Terminal
{
    // A file or pipe has no edge at which lines have to break.
    private const int WidthOfFiles = 240;

    private readonly TextWriter _plainOutput;
    private readonly TextWriter _plainError;
    private readonly IAnsiConsole _output;
    private readonly IAnsiConsole _error;

    public Terminal(TextWriter output, TextWriter error)
    {
        (_plainOutput, _plainError) = (output, error);
        _output = On(output);
        _error = On(error);
    }

    /// <summary>Shows a result.</summary>
    public void Show(IRenderable result) => _output.Write(result);

    /// <summary>Writes a text as it is, at whatever width, with a line end; control characters, which a model may make up too, are shown as '?'.</summary>
    public void Print(string text) => _plainOutput.WriteLine(string.Concat(text.Select(letter => char.IsControl(letter) && letter is not ('\n' or '\t') ? '?' : letter)));

    /// <summary>Says what is wrong with something, a line on standard error.</summary>
    public void Complain(string problem) => _plainError.WriteLine($"mlnet-lora: {Fault.OnOneLine(problem)}");

    /// <summary>Does long work that tells how it goes.</summary>
    public T Follow<T>(string title, Func<WorkProgress, T> work)
    {
        if (!_error.Profile.Out.IsTerminal) return Do(new WorkProgress(_plainError.WriteLine));
        return _error.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context => Do(new WorkProgress(_error.WriteLine, () => context.AddTask(title))));

        T Do(WorkProgress progress)
        {
            var outcome = work(progress);
            progress.Begin();
            return outcome;
        }
    }

    private static IAnsiConsole On(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (!console.Profile.Out.IsTerminal) console.Profile.Width = WidthOfFiles;
        return console;
    }
}
