namespace MLNetLoRA.Modeling;

/// <summary>Lets text through up to the first stop string; what may be the beginning of one is held back until it is known.</summary>
/// <param name="stops">Texts that are not empty.</param>
internal sealed class StopStringFilter(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether a stop string came; nothing passes from then on.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>What passes with this much more text.</summary>
    public string Append(string text)
    {
        if (HasStopped) return "";
        var all = _held + text;
        var found = stops.Select(stop => all.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0).DefaultIfEmpty(-1).Min();
        HasStopped = found >= 0;
        var passing = HasStopped ? found : all.Length - stops.Select(stop => BeginningAtEnd(all, stop)).DefaultIfEmpty(0).Max();
        _held = HasStopped ? "" : all[passing..];
        return all[..passing];
    }

    /// <summary>What was held back, when no more text comes.</summary>
    public string Finish()
    {
        var held = _held;
        _held = "";
        return held;
    }

    // How much of the text's end is the beginning of a stop string.
    private static int BeginningAtEnd(string text, string stop)
    {
        for (var length = Math.Min(stop.Length - 1, text.Length); length > 0; length--)
            if (text.AsSpan().EndsWith(stop.AsSpan(0, length), StringComparison.Ordinal)) return length;
        return 0;
    }
}
