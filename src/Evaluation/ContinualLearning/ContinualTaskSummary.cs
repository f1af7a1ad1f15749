namespace MLNetLoRA;

/// <summary>One task of a run, and what the original base makes of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ClassCount">Classes, two or more.</param>
/// <param name="TrainingRows">Rows to learn from.</param>
/// <param name="TestRows">Rows that judged every stage.</param>
/// <param name="Base">A fresh head on the original base, before anything was learned.</param>
public sealed record ContinualTaskSummary(string Name, int ClassCount, int TrainingRows, int TestRows, FreshHeadScore Base);
