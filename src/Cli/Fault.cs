using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli;

/// <summary>What the user is told of an exception.</summary>
/// <param name="Message">One line.</param>
/// <param name="IsBadInput">Whether the user's arguments or files are the cause, rather than the work or the machine.</param>
internal sealed partial record Fault(string Message, bool IsBadInput)
{
    public static Fault Of(Exception exception)
    {
        while (exception is AggregateException or TargetInvocationException && exception.InnerException is { } inner) exception = inner;
        if (TorchNativeLibrary.FailureMessage is { } native && exception is DllNotFoundException or TypeInitializationException)
            return new Fault(OnOneLine(native), IsBadInput: false);
        return exception switch
        {
            BadInputException => new Fault(OnOneLine(exception.Message), true),
            StoppedException => new Fault(OnOneLine(exception.Message), false),
            OperationCanceledException => new Fault("Stopped; nothing was written.", false),
            ArgumentException => new Fault(OptionNames.AsTyped(OnOneLine(Parameter().Replace(exception.Message, ""))), true),
            InvalidDataException => new Fault(OptionNames.AsTyped(OnOneLine(exception.Message)), true),
            FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException =>
                new Fault(OnOneLine(exception.Message), true),
            TrainingDivergedException divergence => new Fault(Describe(divergence), false),
            // Below the first line libtorch prints its own call stack.
            ExternalException => new Fault(OnOneLine(exception.Message.Split('\n')[0]), false),
            IOException => new Fault(OnOneLine(exception.Message), false),
            _ => new Fault(OnOneLine($"{exception.GetType().Name}: {exception.Message}"), false),
        };
    }

    /// <summary>Lines joined by blanks, so that a log holds one entry for one fault.</summary>
    public static string OnOneLine(string message) =>
        string.Concat(LineBreaks().Replace(message, " ").Trim().Select(letter => char.IsControl(letter) ? '?' : letter));

    // Its own message speaks of options and of a last good model, which only a program has.
    private static string Describe(TrainingDivergedException divergence) =>
        $"The {(double.IsFinite(divergence.Loss) ? "gradient was no longer finite" : $"loss became {divergence.Loss}")} at step {divergence.Step} "
        + $"(learning rate {divergence.LearningRate:G4}); nothing was written. Lower --learning-rate.";

    [GeneratedRegex(@"\s*[\r\n\v\f\u0085\u2028\u2029]+\s*")]
    private static partial Regex LineBreaks();

    [GeneratedRegex(@" \(Parameter '[^']*'\)")]
    private static partial Regex Parameter();
}
