namespace MLNetLoRA;

/// <summary>How well a fresh head on one state of a trunk does on test rows.</summary>
/// <param name="Accuracy">Share of the test rows classified correctly, in [0, 1].</param>
/// <param name="MacroAccuracy">Mean of the accuracies of the classes that the test rows have.</param>
/// <param name="LogLoss">Mean loss over the test rows, in nats.</param>
/// <param name="TrainingLoss">Mean loss over the training rows in the last epoch, in nats.</param>
public sealed record FreshHeadScore(double Accuracy, double MacroAccuracy, double LogLoss, double TrainingLoss);
