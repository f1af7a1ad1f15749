using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads a Unigram model of <c>tokenizer.json</c> with its normalizer and pre-tokenizer, as XLM-RoBERTa's has them.</summary>
internal sealed class UnigramJsonReader
{
    private const string Supported = "Metaspace, Sequence of WhitespaceSplit and Metaspace (for Unigram)";

    private readonly TokenizerFileSet _files;
    private readonly List<UnigramPiece> _pieces = [];
    private readonly int _unknownId;
    private readonly int[]? _byteIds;

    /// <param name="files">For error texts.</param>
    /// <param name="model">The file's <c>model</c>.</param>
    public UnigramJsonReader(TokenizerFileSet files, JsonElement model)
    {
        _files = files;
        foreach (var (id, entry) in model.GetProperty("vocab").EnumerateArray().Index())
        {
            var piece = new UnigramPiece(entry[0].GetString()!, id, entry[1].GetDouble());
            if (!double.IsFinite(piece.Score)) throw Fault($"token {id} ('{piece.Text}') has score {entry[1].GetRawText()}; scores are finite");
            if (!Vocabulary.TryAdd(piece.Text, id)) throw Fault($"tokens {Vocabulary[piece.Text]} and {id} are both '{piece.Text}'");
            _pieces.Add(piece);
        }
        if (_pieces.Count == 0) throw Fault("the vocabulary is empty");
        if (model.Part("unk_id")?.GetInt32() is not { } unknown) throw Unsupported("model.unk_id", "null", "the id of the unknown token");
        if ((uint)unknown >= (uint)_pieces.Count) throw Fault($"model.unk_id is {unknown}, and there are {_pieces.Count} tokens");
        _unknownId = unknown;
        _byteIds = model.Flag("byte_fallback", false) ? ReadByteIds() : null;
    }

    public Dictionary<string, int> Vocabulary { get; } = new(StringComparer.Ordinal);

    /// <summary>The token for what cannot be spelled.</summary>
    public string Unknown => _pieces[_unknownId].Text;

    /// <param name="root">The whole file.</param>
    public MetaspaceUnigram Read(JsonElement root)
    {
        var (addsPrefix, splitsWords, splitsWhiteSpace) = ReadCutter(root.GetProperty("pre_tokenizer"));
        var lattice = new UnigramLattice(
            [.. _pieces.Where(piece => piece.Text.Length > 0)], new UnknownSpelling(_unknownId, _byteIds), _pieces.Min(piece => piece.Score),
            isSinglePrecision: false);
        return new MetaspaceUnigram(new JsonNormalizerReader(_files).Read(root.Part("normalizer")), lattice, _byteIds is not null)
        {
            AddsPrefix = addsPrefix, SplitsWords = splitsWords, SplitsWhiteSpace = splitsWhiteSpace,
        };
    }

    private int[] ReadByteIds() =>
    [
        .. Enumerable.Range(0, 256).Select(value => SentencePieceFile.BytePiece((byte)value)).Select(piece =>
            Vocabulary.TryGetValue(piece, out var id) ? id : throw Fault($"model.byte_fallback is true, and token '{piece}' is missing")),
    ];

    private (bool AddsPrefix, bool SplitsWords, bool SplitsWhiteSpace) ReadCutter(JsonElement cutter)
    {
        if (cutter.TypeName() != "Sequence")
        {
            var (addsPrefix, splits) = ReadMetaspace(cutter);
            return (addsPrefix, splits, false);
        }
        JsonElement[] steps = [.. cutter.GetProperty("pretokenizers").EnumerateArray()];
        if (!steps.Select(step => step.TypeName()).SequenceEqual(["WhitespaceSplit", "Metaspace"]))
            throw Unsupported("pre_tokenizer", $"Sequence of {string.Join(", ", steps.Select(step => step.TypeName()))}", Supported);
        return ReadMetaspace(steps[1]) == (true, true)
            ? (true, true, true)
            : throw Unsupported("pre_tokenizer", "WhitespaceSplit before a Metaspace that prepends or splits nothing", Supported);
    }

    private (bool AddsPrefix, bool Splits) ReadMetaspace(JsonElement cutter)
    {
        if (cutter.TypeName() != "Metaspace") throw Unsupported("pre_tokenizer", cutter.TypeName(), Supported);
        if (cutter.GetProperty("replacement").GetString() is var mark && mark != $"{SentencePieceFile.Space}")
            throw Unsupported("pre_tokenizer.replacement", $"{mark}", $"{SentencePieceFile.Space}");
        var scheme = cutter.Part("prepend_scheme")?.GetString() ?? (cutter.Flag("add_prefix_space", true) ? "always" : "never");
        if (scheme is not ("always" or "never")) throw Unsupported("pre_tokenizer.prepend_scheme", scheme, "always, never");
        return (scheme == "always", cutter.Flag("split", true));
    }

    private InvalidDataException Fault(string found) =>
        _files.Fault(TokenizerFileSet.TokenizerJson, $"{found}. Use the file that came with the checkpoint.");

    private InvalidDataException Unsupported(string part, string found, string wanted) =>
        _files.Unsupported(TokenizerFileSet.TokenizerJson, part, found, wanted);
}
