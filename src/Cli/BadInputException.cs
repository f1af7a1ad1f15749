namespace MLNetLoRA.Cli;

/// <summary>What the user gave cannot be worked with; the message says what was found, what was wanted and what to do.</summary>
internal sealed class BadInputException(string message, Exception? inner = null) : Exception(message, inner);
