using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>Hugging Face's Unigram behind a Metaspace: spaces become <c>▁</c>, each begins a word, and every word is spelled by itself.</summary>
/// <param name="normalize">The file's normalizer.</param>
/// <param name="lattice">The file's model.</param>
/// <param name="hasBytes">Whether its vocabulary has byte pieces.</param>
internal sealed class MetaspaceUnigram(Func<string, string> normalize, UnigramLattice lattice, bool hasBytes) : ISubwordModel
{
    private const char Space = SentencePieceFile.Space;

    private readonly PieceCache _cache = new();

    /// <summary>Whether a text (or, with <see cref="SplitsWhiteSpace"/>, a word) that does not begin with a space is given one.</summary>
    public required bool AddsPrefix { get; init; }

    /// <summary>Whether words are spelled one by one; otherwise a text is one word.</summary>
    public required bool SplitsWords { get; init; }

    /// <summary>Whether all white space separates words and vanishes.</summary>
    public required bool SplitsWhiteSpace { get; init; }

    public string Normalize(string text) => normalize(text);

    public bool StartsWord(string token) => token.StartsWith(Space);

    public void Encode(ReadOnlySpan<char> text, int enough, List<int> ids)
    {
        ReadOnlySpan<char> marked = Mark(text);
        while (!marked.IsEmpty && ids.Count < enough)
        {
            var next = SplitsWords ? marked[1..].IndexOf(Space) : -1;
            var length = next < 0 ? marked.Length : next + 1;
            AppendWord(marked[..length], ids);
            marked = marked[length..];
        }
    }

    public void AppendText(IReadOnlyList<string> tokens, StringBuilder text) => SpaceMarks.AppendText(tokens, hasBytes, AddsPrefix, text);

    private string Mark(ReadOnlySpan<char> text)
    {
        var marked = new StringBuilder(text.Length + 1);
        var isWordBegin = AddsPrefix;
        foreach (var character in text)
        {
            if (SplitsWhiteSpace && char.IsWhiteSpace(character))
            {
                isWordBegin = true;
                continue;
            }
            var mark = character == ' ' ? Space : character;
            if (isWordBegin && mark != Space) marked.Append(Space);
            marked.Append(mark);
            isWordBegin = false;
        }
        return marked.ToString();
    }

    private void AppendWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_cache.TryGet(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var start = ids.Count;
        lattice.Append(word, before: 0, ids, from: start);
        _cache.Add(word, [.. ids[start..]]);
    }
}
