using System.Buffers.Binary;
using System.Collections;
using System.Text;
using System.Text.Unicode;

namespace MLNetLoRA.Modeling;

/// <summary>SentencePiece's table of replacements (<c>precompiled_charsmap</c>), for example NFKC's: which characters become which.</summary>
/// <remarks>
/// Layout: a length, a trie of that many bytes over UTF-8 (Darts-clone's double array, one 32-bit unit a state), then the replacements, each
/// closed by a zero byte. A unit holds a label, the distance to its children and whether a rule ends there; the rule's own unit holds where its
/// replacement begins. Every state that a text can reach is checked when the map is read.
/// </remarks>
internal sealed class PrecompiledCharacterMap
{
    private const uint LabelMask = 0x8000_00FF;

    /// <summary>NFKC's longest replacement has 33 bytes.</summary>
    private const int MaxReplacementBytes = 1024;

    private readonly uint[] _units;
    private readonly Dictionary<uint, string> _replacements = [];

    private PrecompiledCharacterMap(uint[] units) => _units = units;

    /// <returns>Null for an empty map, which replaces nothing.</returns>
    public static PrecompiledCharacterMap? Read(ReadOnlySpan<byte> blob, Func<string, Exception> fault)
    {
        if (blob.IsEmpty) return null;
        if (blob.Length < sizeof(uint)) throw Broken($"it has {blob.Length} bytes");
        var trieBytes = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        blob = blob[sizeof(uint)..];
        if (trieBytes > blob.Length || trieBytes % sizeof(uint) != 0 || trieBytes == 0)
            throw Broken($"its trie has {trieBytes} bytes where {blob.Length} are left");

        var units = new uint[trieBytes / sizeof(uint)];
        for (var index = 0; index < units.Length; index++) units[index] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(index * sizeof(uint))..]);
        var map = new PrecompiledCharacterMap(units);
        return map.ReadReplacements(blob[(int)trieBytes..]) is { } found ? throw Broken(found) : map;

        Exception Broken(string found) => fault($"precompiled_charsmap is damaged: {found}. Use the file that came with the checkpoint.");
    }

    /// <summary>The rule for the longest beginning of a text, as SentencePiece matches.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="length">How much of it is replaced; 0 when no rule fits.</param>
    /// <returns>What stands instead; null when no rule fits.</returns>
    public string? MatchLongest(ReadOnlySpan<char> text, out int length) => Match(text, isShortest: false, out length);

    /// <summary>The rule for the shortest beginning of a text, as Hugging Face's <c>Precompiled</c> matches.</summary>
    /// <inheritdoc cref="MatchLongest"/>
    public string? MatchShortest(ReadOnlySpan<char> text, out int length) => Match(text, isShortest: true, out length);

    /// <summary>Whether an ASCII character stays as it is wherever the next one is ASCII too, or there is none.</summary>
    public bool LeavesAscii(char character)
    {
        var state = Children(0, _units[0]) ^ character;
        if (character == 0 || state >= _units.Length || (_units[state] & LabelMask) != character) return true;
        var children = Children(state, _units[state]);
        return !EndsRule(_units[state])
            && !Enumerable.Range(1, 127).Any(label => (children ^ label) is var next && next < _units.Length && (_units[next] & LabelMask) == label);
    }

    private string? Match(ReadOnlySpan<char> text, bool isShortest, out int length)
    {
        length = 0;
        string? replacement = null;
        Span<byte> utf8 = stackalloc byte[4];
        var children = Children(0, _units[0]);
        for (var position = 0; position < text.Length;)
        {
            var rune = Utf16.RuneAt(text, position);
            position += rune.Utf16SequenceLength;
            var state = 0u;
            foreach (var label in utf8[..rune.EncodeToUtf8(utf8)])
            {
                state = children ^ label;
                if (label == 0 || state >= _units.Length || (_units[state] & LabelMask) != label) return replacement;
                children = Children(state, _units[state]);
            }
            if (!EndsRule(_units[state])) continue;
            (length, replacement) = (position, _replacements[Value(_units[children])]);
            if (isShortest) return replacement;
        }
        return replacement;
    }

    /// <summary>Visits every state once; says what is wrong with the first that is.</summary>
    private string? ReadReplacements(ReadOnlySpan<byte> texts)
    {
        var seen = new BitArray(_units.Length);
        var left = new Stack<uint>([Children(0, _units[0])]);
        while (left.TryPop(out var children))
        {
            if (children >= _units.Length) return $"its trie leads to unit {children} of {_units.Length}";
            if (seen[(int)children]) continue;
            seen[(int)children] = true;
            for (var label = 1u; label < 256; label++)
            {
                var state = children ^ label;
                if (state >= _units.Length || (_units[state] & LabelMask) != label) continue;
                var next = Children(state, _units[state]);
                if (EndsRule(_units[state]) && next < _units.Length && ReadReplacement(texts, Value(_units[next])) is { } fault) return fault;
                left.Push(next);
            }
        }
        return null;
    }

    private string? ReadReplacement(ReadOnlySpan<byte> texts, uint start)
    {
        if (_replacements.ContainsKey(start)) return null;
        if (start >= texts.Length) return $"a replacement begins at byte {start} of {texts.Length}";
        var text = texts[(int)start..];
        text = text[..Math.Min(text.Length, MaxReplacementBytes)];
        var end = text.IndexOf((byte)0);
        if (end < 0) return $"the replacement at byte {start} has no end within {MaxReplacementBytes} bytes";
        if (!Utf8.IsValid(text[..end])) return $"the replacement at byte {start} is not UTF-8 text";
        _replacements.Add(start, Encoding.UTF8.GetString(text[..end]));
        return null;
    }

    private static uint Children(uint state, uint unit) => state ^ ((unit >> 10) << (int)((unit & 0x200) >> 6));

    private static bool EndsRule(uint unit) => (unit & 0x100) != 0;

    private static uint Value(uint unit) => unit & 0x7FFF_FFFF;
}
