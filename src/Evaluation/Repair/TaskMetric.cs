namespace MLNetLoRA;

/// <summary>How well a model does its task on labelled rows.</summary>
/// <param name="Accuracy">Share of rows predicted right.</param>
/// <param name="LogLoss">Mean negative logarithm of the probability given to the right class, in nats.</param>
public sealed record TaskMetric(double Accuracy, double LogLoss);
