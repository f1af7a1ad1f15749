namespace MLNetLoRA.Trainers;

/// <summary>The checks that every trainer's options share: one sentence for each fault.</summary>
internal static class OptionFaults
{
    public static IEnumerable<string> OfTraining(
        int batchSize, int accumulationSteps, int maxEpochs, int? maxTokens, double? learningRate, LearningRateSchedule schedule,
        double warmupRatio, double weightDecay, double? maxGradientNorm, string? device, PretrainedModel model)
    {
        if (batchSize is < 1 or > OptionDefaults.MostRows) yield return $"BatchSize is {batchSize}; use 1 to {OptionDefaults.MostRows}.";
        if (accumulationSteps is < 1 or > OptionDefaults.MostRows)
            yield return $"GradientAccumulationSteps is {accumulationSteps}; use 1 to {OptionDefaults.MostRows}.";
        if (maxEpochs < 1) yield return $"MaxEpochs is {maxEpochs}; use 1 or more.";
        if (maxTokens is { } tokens && (tokens < OptionDefaults.FewestTokens || tokens > model.Config.MaxTokens))
            yield return $"MaxTokens is {tokens}; {model.Name} takes {OptionDefaults.FewestTokens} to {model.Config.MaxTokens}.";
        if (learningRate is { } rate && rate is not (> 0 and <= OptionDefaults.LargestRate))
            yield return $"LearningRate is {rate}; use a value above 0 (usual: 1e-5 to 1e-3; at most {OptionDefaults.LargestRate}).";
        if (!Enum.IsDefined(schedule)) yield return $"Schedule is {schedule}; use Linear, Cosine or Constant.";
        if (warmupRatio is not (>= 0 and <= 1)) yield return $"WarmupRatio is {warmupRatio}; use a share from 0 to 1.";
        if (weightDecay is not (>= 0 and <= OptionDefaults.LargestRate))
            yield return $"WeightDecay is {weightDecay}; use 0 or more (usual: 0 to 0.1; at most {OptionDefaults.LargestRate}).";
        if (maxGradientNorm is { } norm && norm is not > 0) yield return $"MaxGradientNorm is {norm}; use a value above 0, or null for none.";
        if (device is not null && ComputeDevice.Fault(device) is { } deviceFault) yield return deviceFault;
    }

    /// <summary>Throws when there is any fault, with all of them in one message.</summary>
    /// <exception cref="ArgumentException">At least one fault.</exception>
    public static void ThrowIfAny(string component, IEnumerable<string> faults)
    {
        var all = faults.ToList();
        if (all.Count > 0) throw new ArgumentException($"{component}: {string.Join(" ", all)}");
    }
}
