namespace MLNetLoRA.Modeling;

/// <summary>Which token id each piece of a SentencePiece model has.</summary>
/// <remarks>
/// Models trained with fairseq begin with tokens of its own dictionary, which the model file lacks. Source: Hugging Face's
/// <c>XLMRobertaTokenizer</c> and <c>CamembertTokenizer</c>.
/// </remarks>
internal sealed class SentencePieceLayout
{
    private readonly string[] _leading;     // tokens 0, 1, …
    private readonly string[] _replaced;    // the file's first pieces, which are among them
    private readonly string? _mask;         // the token after the last piece

    private SentencePieceLayout(string[] leading, string[] replaced, string? mask)
    {
        _leading = leading;
        _replaced = replaced;
        _mask = mask;
    }

    /// <summary>Every piece has its place in the file as its id.</summary>
    public static SentencePieceLayout Own { get; } = new([], [], null);

    /// <summary>One further than in the file, the mask last.</summary>
    public static SentencePieceLayout XlmRoberta(string mask) => new(["<s>", "<pad>", "</s>", "<unk>"], ["<unk>", "<s>", "</s>"], mask);

    /// <summary>Four further than in the file, which keeps its own <c>&lt;s&gt;</c> and <c>&lt;/s&gt;</c> there; the mask last.</summary>
    public static SentencePieceLayout Camembert(string mask) => new(["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"], ["<unk>"], mask);

    /// <summary>The ids of the pieces in the order of the file, and of all tokens by their text.</summary>
    public (int[] Ids, Dictionary<string, int> Vocabulary) Number(IReadOnlyList<SentencePiece> pieces, Func<string, Exception> fault)
    {
        if (!pieces.Take(_replaced.Length).Select(piece => piece.Text).SequenceEqual(_replaced))
            throw fault($"its first pieces are {string.Join(", ", pieces.Take(_replaced.Length).Select(piece => $"'{piece.Text}'"))}, "
                + $"and the tokenizer_class wants {string.Join(", ", _replaced)}; "
                + $"name the right class in {TokenizerFileSet.TokenizerConfig}, or use the file that came with the checkpoint.");

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (id, token) in _leading.Index()) vocabulary.Add(token, id);
        var shift = _leading.Length - _replaced.Length;
        var ids = new int[pieces.Count];
        foreach (var (place, piece) in pieces.Index())
        {
            ids[place] = place < _replaced.Length ? vocabulary[piece.Text] : place + shift;
            if (place >= _replaced.Length) Add(piece.Text, ids[place]);
        }
        if (_mask is not null) Add(_mask, pieces.Count + shift);
        return (ids, vocabulary);

        void Add(string token, int id)
        {
            if (!vocabulary.TryAdd(token, id))
                throw fault($"it has a piece '{token}', and the tokenizer_class adds a token of that name; "
                    + $"name the right class in {TokenizerFileSet.TokenizerConfig}, or use the file that came with the checkpoint.");
        }
    }
}
