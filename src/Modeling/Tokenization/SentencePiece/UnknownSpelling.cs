using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>How text without a piece is spelled: by the pieces of its UTF-8 bytes where there are such, else by the unknown token.</summary>
/// <param name="unknownId">Stands once for unknown characters that follow one another.</param>
/// <param name="byteIds">The ids of the 256 byte pieces; null when the vocabulary has none.</param>
internal sealed class UnknownSpelling(int unknownId, int[]? byteIds)
{
    /// <summary>Appends the ids of one unknown character.</summary>
    /// <param name="character">One or two UTF-16 units.</param>
    /// <param name="ids">The ids before it; those from <paramref name="from"/> on are of the same text.</param>
    /// <param name="from">A place in <paramref name="ids"/>.</param>
    public void Append(ReadOnlySpan<char> character, List<int> ids, int from)
    {
        if (byteIds is null)
        {
            if (ids.Count == from || ids[^1] != unknownId) ids.Add(unknownId);
            return;
        }
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var value in utf8[..Encoding.UTF8.GetBytes(character, utf8)]) ids.Add(byteIds[value]);
    }
}
