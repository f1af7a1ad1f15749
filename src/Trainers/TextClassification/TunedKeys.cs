using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>Which parameters a saved classifier may bring: those that its fit made, and no others.</summary>
internal static class TunedKeys
{
    /// <summary>Refuses parameters that no part of the network takes, and, beside an adapter, those that would replace the base's.</summary>
    /// <param name="description">What was fine-tuned, and how.</param>
    /// <param name="tuned">What the file brings.</param>
    /// <param name="frozen">The base underneath an adapter; null after full fine-tuning, whose weights stand alone.</param>
    /// <param name="device">Where all of them are.</param>
    /// <exception cref="InvalidDataException">There is such a parameter, or one is missing or has another shape than the network needs.</exception>
    public static void Check(
        ClassifierDescription description, IReadOnlyDictionary<string, Tensor> tuned, IReadOnlyDictionary<string, Tensor>? frozen, Device device)
    {
        // The network itself says what it takes; frozen parameters share the storage they are given, so it costs no memory.
        var config = description.Base.Config;
        var weights = new Dictionary<string, Tensor>(frozen ?? new Dictionary<string, Tensor>());
        foreach (var (key, tensor) in tuned) weights[key] = tensor;
        var source = new ParameterSource(weights, device, isTrainable: _ => false, generator: null);
        using var network = new SequenceClassifier(new NetworkContext(config, description.Projections, null), source, description.ClassCount);

        Refuse([.. tuned.Keys.Except(source.Taken)], "nothing in the network takes it");
        Refuse(
            [.. tuned.Keys.Where(key => frozen is not null && frozen.ContainsKey(key) && !SequenceClassifier.IsHeadKey(key, config))],
            "it belongs to the base, which an adapter leaves as it is");
    }

    private static void Refuse(List<string> keys, string reason)
    {
        if (keys.Count == 0) return;
        keys.Sort(StringComparer.Ordinal);
        throw new InvalidDataException(
            $"The model file's tuned weights hold {keys[0]}{(keys.Count > 1 ? $" and {keys.Count - 1} more" : "")}: {reason}. "
            + "The file was changed after it was saved.");
    }
}
