namespace MLNetLoRA.Modeling;

/// <summary>What <c>adapter_config.json</c> says for its reader's sake: nothing is computed from it here.</summary>
/// <param name="BaseName">The base's name or path.</param>
/// <param name="Dropout">What the adapter was trained with.</param>
/// <param name="TaskType">PEFT's word for the adapted network, "SEQ_CLS" say; null when none is named.</param>
internal sealed record PeftNotes(string BaseName, double Dropout, string? TaskType);
