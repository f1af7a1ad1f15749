using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>Text and pieces in which <c>▁</c> stands for a space, as SentencePiece writes them.</summary>
internal static class SpaceMarks
{
    private const char Space = SentencePieceFile.Space;

    /// <summary>Whether no piece reaches from one word into the next, so that a text can be spelled word by word.</summary>
    public static bool KeepWordsApart(IEnumerable<string> pieces) => pieces.All(piece => WordLength(piece) == piece.Length);

    /// <summary>The length of the first word: spaces, then everything up to the next space.</summary>
    public static int WordLength(ReadOnlySpan<char> text)
    {
        var spaces = text.IndexOfAnyExcept(Space);
        if (spaces < 0) return text.Length;
        var letters = text[spaces..].IndexOf(Space);
        return letters < 0 ? text.Length : spaces + letters;
    }

    /// <summary>Appends the text that tokens spell, byte pieces included.</summary>
    /// <param name="tokens">Tokens of the vocabulary.</param>
    /// <param name="hasBytes">Whether tokens such as <c>&lt;0x0A&gt;</c> are bytes.</param>
    /// <param name="hasPrefix">Whether a text's first space is none of its own.</param>
    /// <param name="text">Appended to.</param>
    public static void AppendText(IReadOnlyList<string> tokens, bool hasBytes, bool hasPrefix, StringBuilder text)
    {
        var bytes = new List<byte>();
        foreach (var (place, token) in tokens.Index()) AppendBytes(token, hasBytes, dropsSpace: hasPrefix && text.Length == 0 && place == 0, bytes);
        text.Append(Encoding.UTF8.GetString([.. bytes]));
    }

    /// <summary>Appends the bytes of UTF-8 text that a token spells.</summary>
    /// <param name="token">A token of the vocabulary.</param>
    /// <param name="hasBytes">Whether tokens such as <c>&lt;0x0A&gt;</c> are bytes.</param>
    /// <param name="dropsSpace">Whether a space that it begins with is left out.</param>
    /// <param name="bytes">Appended to.</param>
    public static void AppendBytes(string token, bool hasBytes, bool dropsSpace, List<byte> bytes)
    {
        if (hasBytes && SentencePieceFile.ByteOf(token) is { } value)
        {
            bytes.Add(value);
            return;
        }
        var text = dropsSpace && token.StartsWith(Space) ? token[1..] : token;
        bytes.AddRange(Encoding.UTF8.GetBytes(text.Replace(Space, ' ')));
    }
}
