namespace MLNetLoRA.Modeling;

/// <summary>What stands at one place of a row: a special token (<see cref="SpecialId"/>), or the first or second text.</summary>
internal readonly record struct TemplatePiece(int? SpecialId, bool IsSecond, byte TypeId)
{
    public static TemplatePiece Special(int id, byte typeId = 0) => new(id, false, typeId);
    public static TemplatePiece First(byte typeId = 0) => new(null, false, typeId);
    public static TemplatePiece Second(byte typeId) => new(null, true, typeId);
}

/// <summary>Where the special tokens of a row go, for one text and for a pair.</summary>
internal sealed class SequenceTemplate(IReadOnlyList<TemplatePiece> single, IReadOnlyList<TemplatePiece> pair)
{
    /// <summary>Two separators between the texts, no token types.</summary>
    public static SequenceTemplate Roberta(int classify, int separator)
    {
        var (open, close) = (TemplatePiece.Special(classify), TemplatePiece.Special(separator));
        return new([open, TemplatePiece.First(), close], [open, TemplatePiece.First(), close, close, TemplatePiece.Second(0), close]);
    }

    /// <summary>One separator between the texts; the second text and its separator have type 1.</summary>
    public static SequenceTemplate Bert(int classify, int separator)
    {
        var (open, close) = (TemplatePiece.Special(classify), TemplatePiece.Special(separator));
        return new([open, TemplatePiece.First(), close],
            [open, TemplatePiece.First(), close, TemplatePiece.Second(1), TemplatePiece.Special(separator, typeId: 1)]);
    }

    /// <summary>Each text between a begin and an end, where there are such.</summary>
    public static SequenceTemplate Decoder(int? begin, int? end)
    {
        TemplatePiece[] open = begin is { } first ? [TemplatePiece.Special(first)] : [];
        TemplatePiece[] close = end is { } last ? [TemplatePiece.Special(last)] : [];
        return new([.. open, TemplatePiece.First(), .. close], [.. open, TemplatePiece.First(), .. close, .. open, TemplatePiece.Second(0), .. close]);
    }

    /// <summary>The same for a model that reads no token types, whatever its tokenizer writes.</summary>
    public SequenceTemplate WithoutTypes() =>
        new([.. single.Select(piece => piece with { TypeId = 0 })], [.. pair.Select(piece => piece with { TypeId = 0 })]);

    public bool UsesTokenTypes { get; } = pair.Any(piece => piece.TypeId != 0);

    /// <summary>The special tokens around a single text, in order.</summary>
    public IEnumerable<int> SpecialIds => single.Where(piece => piece.SpecialId is not null).Select(piece => piece.SpecialId!.Value);

    /// <summary>The special token before a single text; null for none.</summary>
    public int? OpeningId => single[0].SpecialId;

    public int SpecialCount(bool isPair) => (isPair ? pair : single).Count(piece => piece.SpecialId is not null);

    public EncodedText Fill(List<int> first, int firstKept, List<int>? second, int secondKept, bool wasTruncated)
    {
        var pieces = second is null ? single : pair;
        var ids = new int[firstKept + secondKept + SpecialCount(second is not null)];
        var types = UsesTokenTypes ? new byte[ids.Length] : null;
        var position = 0;
        foreach (var piece in pieces)
        {
            var length = 1;
            if (piece.SpecialId is { } id) ids[position] = id;
            else
            {
                length = piece.IsSecond ? secondKept : firstKept;
                (piece.IsSecond ? second! : first).CopyTo(0, ids, position, length);
            }
            types?.AsSpan(position, length).Fill(piece.TypeId);
            position += length;
        }
        return new EncodedText(ids, types, wasTruncated);
    }
}
