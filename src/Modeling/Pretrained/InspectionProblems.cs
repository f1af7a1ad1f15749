namespace MLNetLoRA.Modeling;

/// <summary>What an inspection found wrong, each part read by itself, so that one fault hides no other.</summary>
internal sealed class InspectionProblems
{
    private readonly List<string> _texts = [];

    public IReadOnlyList<string> Texts => _texts;

    public void Add(string text) => _texts.Add(text);

    /// <summary>What <paramref name="read"/> gives; null, and a problem more, where a file is missing or faulty.</summary>
    public T? Try<T>(Func<T> read) where T : class
    {
        try
        {
            return read();
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            _texts.Add(fault.Message);
            return null;
        }
    }
}
