namespace MLNetLoRA.Trainers;

/// <summary>The columns a text classifier reads and writes, by name, and the component they are named for in errors.</summary>
/// <param name="Component">The component as the user typed it: <c>LoraTextClassification</c>.</param>
/// <param name="Sentence1">Text column read as the sentence, or the first of a pair.</param>
/// <param name="Sentence2">Text column read as the second sentence; null for single sentences.</param>
/// <param name="Score">Column written with one score per class.</param>
/// <param name="PredictedLabel">Column written with the class of the highest score.</param>
internal sealed record TextColumns(string Component, string Sentence1, string? Sentence2, string Score, string PredictedLabel);
