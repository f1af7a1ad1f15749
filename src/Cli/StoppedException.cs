namespace MLNetLoRA.Cli;

/// <summary>The user stopped the work, and something of it remains; the message says what.</summary>
internal sealed class StoppedException(string message, OperationCanceledException reason) : Exception(message, reason);
