namespace MLNetLoRA;

/// <summary>A training of a study that came to nothing.</summary>
/// <param name="Tuning">How it was trained.</param>
/// <param name="LearningRate">Peak learning rate.</param>
/// <param name="Seed">The training's seed.</param>
/// <param name="Reason">What happened.</param>
public sealed record StudyFailure(StudyTuning Tuning, double LearningRate, int Seed, string Reason);
