using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace MLNetLoRA.Modeling;

/// <summary>What a piece is for; numbered as in the file.</summary>
internal enum PieceKind { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 }

/// <summary>How a text is cut into pieces; numbered as in the file.</summary>
internal enum SentencePieceAlgorithm { Unigram = 1, BytePairs = 2, Words = 3, Characters = 4 }

/// <summary>One piece of the vocabulary; its place in the file is its id there.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceKind Kind);

/// <summary>A SentencePiece model file (<c>ModelProto</c>): the fields that decide ids, read strictly.</summary>
/// <remarks>Source: <c>sentencepiece_model.proto</c>. Fields about training, self-tests and the way back to text are skipped.</remarks>
internal sealed class SentencePieceFile
{
    /// <summary>SentencePiece's sign for a space: U+2581, a low bar.</summary>
    public const char Space = '▁';

    // Learned pieces have at most 16 characters unless asked otherwise, user-defined ones are words.
    private const int MaxPieceLength = 1024;
    private const int MaxPieces = 10_000_000;

    private readonly Func<string, Exception> _fault;
    private readonly List<SentencePiece> _pieces = [];

    private SentencePieceFile(Func<string, Exception> fault) => _fault = fault;

    public IReadOnlyList<SentencePiece> Pieces => _pieces;

    public SentencePieceAlgorithm Algorithm { get; private set; } = SentencePieceAlgorithm.Unigram;

    /// <summary>Whether a character without a piece is spelled by the pieces of its UTF-8 bytes.</summary>
    public bool FallsBackToBytes { get; private set; }

    /// <summary>Whether a text is given a space before it, so that its first word looks like any other.</summary>
    public bool AddsPrefix { get; private set; } = true;

    /// <summary>Whether spaces at both ends vanish and runs of spaces become one.</summary>
    public bool RemovesExtraSpaces { get; private set; } = true;

    /// <summary>Which texts are replaced by which before anything else; null when none are.</summary>
    public PrecompiledCharacterMap? CharacterMap { get; private set; }

    /// <summary>The place of the piece for what cannot be spelled.</summary>
    public int UnknownPiece { get; private set; } = -1;

    /// <param name="content">The file.</param>
    /// <param name="fault">Makes the exception for a fault of this file.</param>
    public static SentencePieceFile Read(ReadOnlySpan<byte> content, Func<string, Exception> fault)
    {
        var file = new SentencePieceFile(fault);
        var message = new ProtobufReader(content, fault);
        while (message.Next())
        {
            if (message.Field == 1) file.ReadPiece(message.Bytes());
            else if (message.Field == 2) file.ReadTrainer(message.Bytes());
            else if (message.Field == 3) file.ReadNormalizer(message.Bytes());
            else message.Skip();
        }
        file.CheckPieces();
        return file;
    }

    /// <summary>The text's way into this model.</summary>
    /// <param name="addsPrefix">Whether text is given a space before it; null: as the file says.</param>
    public SentencePieceNormalizer Normalizer(bool? addsPrefix = null) => new(CharacterMap, UserDefined(), addsPrefix ?? AddsPrefix, RemovesExtraSpaces);

    /// <summary>The pieces that are never changed nor cut; null when there are none.</summary>
    public PieceTrie? UserDefined()
    {
        var pieces = _pieces.Where(piece => piece.Kind == PieceKind.UserDefined).Select(piece => piece.Text).ToList();
        return pieces.Count == 0 ? null : new PieceTrie(pieces);
    }

    /// <param name="ids">The token id of each piece.</param>
    public UnknownSpelling Unknown(IReadOnlyList<int> ids) => new(
        ids[UnknownPiece],
        FallsBackToBytes
            ?
            [
                .. _pieces.Index().Where(entry => entry.Item.Kind == PieceKind.Byte)
                    .OrderBy(entry => ByteOf(entry.Item.Text)).Select(entry => ids[entry.Index]),
            ]
            : null);

    private void ReadPiece(ReadOnlySpan<byte> content)
    {
        var (text, score, kind) = ("", 0f, PieceKind.Normal);
        var message = new ProtobufReader(content, _fault);
        while (message.Next())
        {
            if (message.Field == 1) text = Text(message.Bytes());
            else if (message.Field == 2) score = message.Single();
            else if (message.Field == 3) kind = (PieceKind)Math.Min(message.Number(), int.MaxValue);
            else message.Skip();
        }
        if (text.Length is 0 or > MaxPieceLength)
            throw Fault($"piece {_pieces.Count} has {text.Length} characters; pieces have 1 to {MaxPieceLength}");
        if (!float.IsFinite(score))
            throw Fault($"piece {_pieces.Count} ('{text}') has score {score.ToString(CultureInfo.InvariantCulture)}; scores are finite");
        if (!Enum.IsDefined(kind)) throw Fault($"piece {_pieces.Count} ('{text}') is of kind {(int)kind}; kinds are 1 to 6");
        if (_pieces.Count == MaxPieces) throw Fault($"there are more than {MaxPieces} pieces");
        _pieces.Add(new SentencePiece(text, score, kind));
    }

    private void ReadTrainer(ReadOnlySpan<byte> content)
    {
        var message = new ProtobufReader(content, _fault);
        while (message.Next())
        {
            if (message.Field == 3) Algorithm = (SentencePieceAlgorithm)Math.Min(message.Number(), int.MaxValue);
            else if (message.Field == 24 && message.Flag()) throw Unsupported("treat_whitespace_as_suffix", "true", "false");
            else if (message.Field == 35) FallsBackToBytes = message.Flag();
            else if (message.Field != 24) message.Skip();
        }
        if (Algorithm is not (SentencePieceAlgorithm.Unigram or SentencePieceAlgorithm.BytePairs))
        {
            var found = Algorithm switch { SentencePieceAlgorithm.Words => "WORD", SentencePieceAlgorithm.Characters => "CHAR", _ => $"{Algorithm}" };
            throw Unsupported("model_type", found, "UNIGRAM, BPE");
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> content)
    {
        var message = new ProtobufReader(content, _fault);
        while (message.Next())
        {
            if (message.Field == 2) CharacterMap = PrecompiledCharacterMap.Read(message.Bytes(), _fault);
            else if (message.Field == 3) AddsPrefix = message.Flag();
            else if (message.Field == 4) RemovesExtraSpaces = message.Flag();
            else if (message.Field == 5 && !message.Flag()) throw Unsupported("escape_whitespaces", "false", "true");
            else if (message.Field != 5) message.Skip();
        }
    }

    private void CheckPieces()
    {
        if (_pieces.Count == 0) throw Fault("it has no pieces");
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (place, piece) in _pieces.Index())
        {
            if (!places.TryAdd(piece.Text, place)) throw Fault($"pieces {places[piece.Text]} and {place} are both '{piece.Text}'");
            if (piece.Kind == PieceKind.Byte && (!FallsBackToBytes || ByteOf(piece.Text) is null))
                throw Fault($"piece {place} ('{piece.Text}') is a byte, {(FallsBackToBytes ? "and bytes are <0x00> to <0xFF>" : "and byte_fallback is off")}");
            if (piece.Kind != PieceKind.Unknown) continue;
            if (UnknownPiece >= 0) throw Fault($"pieces {UnknownPiece} and {place} are both for the unknown");
            UnknownPiece = place;
        }
        if (UnknownPiece < 0) throw Fault("no piece is for the unknown");
        if (FallsBackToBytes && _pieces.Count(piece => piece.Kind == PieceKind.Byte) is < 256 and var bytes)
            throw Fault($"byte_fallback is on, and {256 - bytes} of the 256 byte pieces are missing");
    }

    /// <summary>The byte that a piece such as <c>&lt;0x0A&gt;</c> stands for; null for any other text.</summary>
    public static byte? ByteOf(string piece) =>
        piece is ['<', '0', 'x', _, _, '>'] && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            && piece == BytePiece(value) ? value : null;

    public static string BytePiece(byte value) => $"<0x{value:X2}>";

    private string Text(ReadOnlySpan<byte> utf8) =>
        Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : throw Fault($"piece {_pieces.Count} is not UTF-8 text");

    private Exception Fault(string found) => _fault($"{found}. Use the file that came with the checkpoint.");

    private Exception Unsupported(string part, string found, string wanted) =>
        _fault($"{part} '{found}' is not supported; supported: {wanted}. Use another checkpoint.");
}
