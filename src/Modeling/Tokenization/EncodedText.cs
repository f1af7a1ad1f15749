namespace MLNetLoRA.Modeling;

/// <summary>One row as a network reads it: token ids, special tokens included, not padded.</summary>
/// <param name="Ids">Token ids; never longer than the limit the row was encoded with.</param>
/// <param name="TypeIds">0 for the first text and 1 for the second, one per id; null where the model has no token types (RoBERTa).</param>
/// <param name="WasTruncated">Whether tokens were cut off to keep within the limit.</param>
public readonly record struct EncodedText(int[] Ids, byte[]? TypeIds, bool WasTruncated);
