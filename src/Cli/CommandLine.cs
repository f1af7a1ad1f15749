using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Cli.Verbs;

namespace MLNetLoRA.Cli;

/// <summary>The whole program as a function: arguments in, an exit code and text out.</summary>
internal static class CommandLine
{
    /// <summary>Everything was done.</summary>
    public const int Done = 0;

    /// <summary>The work began and failed.</summary>
    public const int Failed = 1;

    /// <summary>Bad usage or bad input: one line on standard error, nothing written.</summary>
    public const int BadInput = 2;

    // After Ctrl+C: training stops within one step, and a step of a large model on a slow machine takes seconds.
    private static readonly TimeSpan TimeToStop = TimeSpan.FromSeconds(20);

    /// <summary>Runs one verb.</summary>
    /// <param name="arguments">What follows the program's name.</param>
    /// <param name="output">Results.</param>
    /// <param name="error">Progress and errors.</param>
    /// <returns><see cref="Done"/>, <see cref="Failed"/> or <see cref="BadInput"/>.</returns>
    public static int Invoke(IReadOnlyList<string> arguments, TextWriter output, TextWriter error)
    {
        // Numbers are read and written the same way on every machine.
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        var root = Root(new Terminal(output, error));
        // An argument is what it says: no @file is opened in its place.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0) return Refuse(error, UsageFault(parsed, root), BadInput);
        try
        {
            return parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeToStop,
            }).GetAwaiter().GetResult();
        }
        catch (Exception exception)
        {
            var fault = Fault.Of(exception);
            return Refuse(error, fault.Message, fault.IsBadInput ? BadInput : Failed);
        }
    }

    // A RootCommand would be called after its assembly; this one is called what the user types.
    private static Command Root(Terminal terminal) =>
        new("mlnet-lora", "Fine-tune pretrained text models, score text with them, show and repair what fine-tuning did to them.")
        {
            new HelpOption(),
            new VersionOption(),
            TrainVerb.Create(terminal),
            PredictVerb.Create(terminal),
            ForwardVerb.Create(terminal),
            GenerateVerb.Create(terminal),
            InfoVerb.Create(terminal),
            InspectVerb.Create(terminal),
            RescaleVerb.Create(terminal),
            ForgetVerb.Create(terminal),
            ContinualVerb.Create(terminal),
            StudyVerb.Create(terminal),
        };

    private static string UsageFault(ParseResult parsed, Command root)
    {
        var verb = parsed.CommandResult.Command;
        if (verb != root) return $"{string.Join(' ', parsed.Errors.Select(fault => fault.Message).Distinct())} See {root.Name} {verb.Name} --help.";
        var found = parsed.UnmatchedTokens.Count > 0 ? $"There is no verb '{parsed.UnmatchedTokens[0]}'" : "The verb is missing";
        return $"{found}; use one of: {string.Join(", ", root.Subcommands.Select(command => command.Name))}. See {root.Name} --help.";
    }

    private static int Refuse(TextWriter error, string message, int code)
    {
        error.WriteLine($"mlnet-lora: {Fault.OnOneLine(message)}");
        return code;
    }
}
