using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Which parameters a saved classifier may bring: those that its fit made, and no others.</summary>
internal static class TunedKeys
{
    /// <summary>Refuses parameters that no part of the network takes, and, beside an adapter, those that would replace the base's.</summary>
    /// <exception cref="InvalidDataException">There is such a parameter.</exception>
    public static void Check(TextClassifier classifier)
    {
        Refuse(classifier.UnusedKeys, "nothing in the network takes it");
        Refuse(classifier.OverridingKeys, "it belongs to the base, which an adapter leaves as it is");
    }

    private static void Refuse(IReadOnlyList<string> keys, string reason)
    {
        if (keys.Count == 0) return;
        throw new InvalidDataException(
            $"The model file's tuned weights hold {keys[0]}{(keys.Count > 1 ? $" and {keys.Count - 1} more" : "")}: {reason}. "
            + "The file was changed after it was saved.");
    }
}
