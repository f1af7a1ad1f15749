namespace MLNetLoRA.Modeling;

/// <summary>One file of a tokenizer, held in memory: from a folder, an embedded resource or a zip entry.</summary>
/// <param name="Name">The file's name without a folder, as Hugging Face spells it (<c>tokenizer.json</c>, <c>vocab.txt</c>, …).</param>
/// <param name="Content">The file's bytes, unchanged.</param>
public sealed record TokenizerFile(string Name, ReadOnlyMemory<byte> Content);
