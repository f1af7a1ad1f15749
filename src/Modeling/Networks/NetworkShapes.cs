using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Which parameters a network asks for, found by building it without memory.</summary>
internal static class NetworkShapes
{
    /// <summary>Shapes by key of the encoder with its language-model head.</summary>
    public static IReadOnlyDictionary<string, long[]> OfMaskedLanguageModel(EncoderConfig config) =>
        Survey(source => new MaskedLanguageModel(Plain(config), source));

    /// <summary>Shapes by key of the encoder with a classification head.</summary>
    public static IReadOnlyDictionary<string, long[]> OfClassifier(EncoderConfig config, int classCount) =>
        Survey(source => new SequenceClassifier(Plain(config), source, classCount));

    /// <summary>How stored weights fail to fill a network, as phrases for a message; empty when they do.</summary>
    /// <param name="asked">Shapes by key, as surveyed.</param>
    /// <param name="stored">The stored shape of a key, or null.</param>
    /// <param name="mayMiss">Keys that may be absent because they can be drawn at random.</param>
    public static IReadOnlyList<string> Complaints(
        IReadOnlyDictionary<string, long[]> asked, Func<string, IReadOnlyList<long>?> stored, Func<string, bool> mayMiss)
    {
        var missing = asked.Keys.Where(key => stored(key) is null && !mayMiss(key)).ToList();
        var misshapen = asked
            .Where(wanted => stored(wanted.Key) is { } shape && !shape.SequenceEqual(wanted.Value))
            .Select(wanted => $"{wanted.Key} is ({string.Join(", ", stored(wanted.Key)!)}), config.json says ({string.Join(", ", wanted.Value)})")
            .ToList();

        var complaints = new List<string>();
        if (missing.Count > 0) complaints.Add($"{missing.Count} keys missing ({missing[0]}{(missing.Count > 1 ? ", …" : "")})");
        if (misshapen.Count > 0) complaints.Add($"{misshapen.Count} with another shape: {misshapen[0]}");
        return complaints;
    }

    private static NetworkContext Plain(EncoderConfig config) => new(config, new PlainProjections(), null);

    // On the meta device a tensor has a shape and no values, so even a large model is surveyed at once.
    private static Dictionary<string, long[]> Survey(Func<ParameterSource, nn.Module> build)
    {
        var asked = new Dictionary<string, long[]>();
        using var network = build(ParameterSource.Survey(META, asked));
        return asked;
    }
}
