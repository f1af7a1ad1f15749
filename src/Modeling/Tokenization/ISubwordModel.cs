using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>The algorithm between text and subword ids. Implementations are immutable but for caches, and thread-safe.</summary>
internal interface ISubwordModel
{
    /// <summary>The text as the algorithm reads it: folded and cleaned, or unchanged.</summary>
    string Normalize(string text);

    /// <summary>The same for text that stands after an added token.</summary>
    string NormalizeLater(string text) => Normalize(text);

    /// <summary>Appends the ids of a normalized text; may stop once the list holds <paramref name="enough"/>.</summary>
    void Encode(ReadOnlySpan<char> text, int enough, List<int> ids);

    /// <summary>Whether a token of the vocabulary begins a word.</summary>
    bool StartsWord(string token);

    /// <summary>How many of the 256 bytes that a text may hold the vocabulary cannot spell; 0 for an algorithm that does not spell bytes.</summary>
    int MissingByteCount => 0;

    /// <summary>Appends the text that some tokens of the vocabulary spell together.</summary>
    void AppendText(IReadOnlyList<string> tokens, StringBuilder text);
}
