using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>
/// Text to token ids and back, exactly as the pretrained checkpoint was trained: byte-level BPE (RoBERTa, Llama 3, Qwen2), WordPiece (BERT, DistilBERT,
/// ELECTRA), or SentencePiece's unigram and BPE models (XLM-RoBERTa, CamemBERT, Llama 1 and 2, Mistral).
/// </summary>
/// <remarks>
/// <para>Ids equal those of Hugging Face. Where its own two implementations differ we follow the newer one (the <c>tokenizers</c> library): the
/// text of an added token that stands in a row, such as <c>&lt;mask&gt;</c> or <c>&lt;/s&gt;</c>, becomes that token's id, so a row that must
/// not do so has to be cleaned by the caller; white space alone is kept by byte-level BPE and vanishes in WordPiece; <c>add_prefix_space</c>
/// applies after every added token; lower-casing knows no final sigma. Truncation follows the older one (longest first, token by token).</para>
/// <para>A SentencePiece model file gives SentencePiece's ids, a <c>tokenizer.json</c> made from it those of <c>tokenizers</c>, which reads the same
/// character map by other rules: they differ for some combining characters.</para>
/// <para>An invalid surrogate is read as U+FFFD, as .NET's UTF-8 encoder writes it. Immutable; safe to use from several threads.</para>
/// </remarks>
public sealed class TextTokenizer
{
    private readonly ISubwordModel _model;
    private readonly AddedTokenSplitter _verbatimTokens;
    private readonly AddedTokenSplitter _normalizedTokens;
    private readonly SequenceTemplate _template;
    private readonly SpecialTokens _special;
    private readonly string?[] _tokens;
    private readonly bool[] _isAdded;
    private readonly bool[] _isSpecial;
    private readonly bool[] _startsWord;

    private TextTokenizer(IReadOnlyList<TokenizerFile> files, TokenizerDefinition definition)
    {
        Files = files;
        _model = definition.Model;
        _template = definition.Template;
        _verbatimTokens = new AddedTokenSplitter(definition.AddedTokens.Where(token => !token.IsNormalized));
        _normalizedTokens = new AddedTokenSplitter(definition.AddedTokens.Where(token => token.IsNormalized)
            .Select(token => token with { Content = _model.Normalize(token.Content) }));

        _tokens = definition.TokensById();
        _isAdded = new bool[_tokens.Length];
        _isSpecial = new bool[_tokens.Length];
        foreach (var token in definition.AddedTokens)
        {
            _isAdded[token.Id] = true;
            _isSpecial[token.Id] = token.IsSpecial;
        }
        _startsWord = Array.ConvertAll(_tokens, token => token is not null && _model.StartsWord(token));
        for (var id = 0; id < _tokens.Length; id++) _startsWord[id] |= _isAdded[id];

        _special = definition.SpecialTokens;
    }

    /// <summary>Reads the tokenizer of a Hugging Face checkpoint folder.</summary>
    /// <param name="folder">
    /// A folder with <c>tokenizer.json</c>, or <c>vocab.json</c> and <c>merges.txt</c>, or <c>vocab.txt</c>, or a SentencePiece model
    /// (<c>sentencepiece.bpe.model</c>, <c>spiece.model</c>, <c>tokenizer.model</c>); where there are several, a complete <c>tokenizer.json</c> is
    /// read and must agree with them. <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> are heeded; a
    /// SentencePiece model is numbered as its <c>tokenizer_class</c> does, without one as in the file.
    /// </param>
    /// <exception cref="InvalidDataException">
    /// Files are missing, malformed, larger than 100 MB, hold different vocabularies, or ask for something not supported; the text names it.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">
    /// An uncased BERT tokenizer, or one that asks for a Unicode normal form, in a process with InvariantGlobalization.
    /// </exception>
    public static TextTokenizer FromFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        return FromFiles(TokenizerFileSet.ReadFolder(folder), folder);
    }

    /// <summary>Reads a tokenizer from files already in memory.</summary>
    /// <param name="files">The same files as in a folder; names that no tokenizer has are ignored.</param>
    /// <param name="source">Where they come from (a path, a resource), for error texts.</param>
    /// <exception cref="ArgumentException">Two files have the same name.</exception>
    /// <exception cref="InvalidDataException">As for <see cref="FromFolder"/>.</exception>
    public static TextTokenizer FromFiles(IReadOnlyList<TokenizerFile> files, string source)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(source);
        var known = new TokenizerFileSet(files, source);
        return new TextTokenizer(known.Files, TokenizerDefinition.Read(known));
    }

    /// <summary>The files this tokenizer was made from, unchanged: write them beside a model, or into it, and it can be made again.</summary>
    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <summary>The subword algorithm, for people: byte-level BPE, WordPiece and so on.</summary>
    public string Kind => _model switch
    {
        ByteLevelBpe => "byte-level BPE",
        WordPieceModel => "WordPiece",
        SentencePieceBpe => "SentencePiece BPE",
        _ => _model.GetType().Name,
    };

    /// <summary>The largest token id plus one, added tokens included: the fewest rows an embedding may have.</summary>
    public int VocabularySize => _tokens.Length;

    /// <summary>Fills rows up to the length of their batch (<c>&lt;pad&gt;</c>, <c>[PAD]</c>).</summary>
    /// <exception cref="InvalidOperationException">There is no such token: many decoders have none.</exception>
    public int PadId => Role(_special.Pad, "pad");

    /// <summary>Stands for what the vocabulary cannot spell (<c>&lt;unk&gt;</c>, <c>[UNK]</c>).</summary>
    /// <exception cref="InvalidOperationException">There is no such token: the vocabulary spells everything.</exception>
    public int UnknownId => Role(_special.Unknown, "unk");

    /// <summary>Opens every row of an encoder; its hidden state is what a classifier reads (<c>&lt;s&gt;</c>, <c>[CLS]</c>).</summary>
    /// <exception cref="InvalidOperationException">This is a decoder's tokenizer.</exception>
    public int ClassifyId => Role(_special.Classify, "cls");

    /// <summary>Ends a text of an encoder (<c>&lt;/s&gt;</c>, <c>[SEP]</c>).</summary>
    /// <exception cref="InvalidOperationException">This is a decoder's tokenizer.</exception>
    public int SeparatorId => Role(_special.Separator, "sep");

    /// <summary>Hides a token that a masked language model has to guess (<c>&lt;mask&gt;</c>, <c>[MASK]</c>).</summary>
    /// <exception cref="InvalidOperationException">This is a decoder's tokenizer.</exception>
    public int MaskId => Role(_special.Mask, "mask");

    /// <summary>Opens a text (<c>&lt;s&gt;</c>, <c>&lt;|begin_of_text|&gt;</c>); null where there is none (Qwen2). For an encoder, <see cref="ClassifyId"/>.</summary>
    public int? BeginId => _special.Begin;

    /// <summary>Ends a text (<c>&lt;/s&gt;</c>, <c>&lt;|end_of_text|&gt;</c>); null where there is none. For an encoder, <see cref="SeparatorId"/>.</summary>
    public int? EndId => _special.End;

    /// <summary>Whether there are the tokens that an encoder needs: to open, separate, fill and mask.</summary>
    internal bool IsForEncoders => _special is { Pad: not null, Classify: not null, Separator: not null, Mask: not null };

    /// <summary>Whether the model tells the two texts of a pair apart by token types (BERT does, RoBERTa does not).</summary>
    public bool UsesTokenTypes => _template.UsesTokenTypes;

    /// <summary>How many of the 256 bytes a byte-level vocabulary cannot spell: texts that hold them lose them to the unknown token.</summary>
    /// <value>0 for every published vocabulary, and for WordPiece, which does not spell bytes.</value>
    public int MissingByteCount => _model.MissingByteCount;

    /// <summary>One text or a pair as a row of ids with its special tokens.</summary>
    /// <remarks><c>&lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;</c> for RoBERTa, <c>[CLS] A [SEP] B [SEP]</c> for BERT.</remarks>
    /// <param name="first">The text; empty gives the special tokens alone.</param>
    /// <param name="second">The second text of a pair; null for a single text.</param>
    /// <param name="maxTokens">
    /// The longest row, special tokens included. Longer ones lose tokens from the end of the longer text, one at a time; from the second where
    /// both are equally long.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokens"/> leaves no room for a single token of text.</exception>
    public EncodedText Encode(string first, string? second, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(first);
        var special = _template.SpecialCount(second is not null);
        if (maxTokens <= special)
            throw new ArgumentOutOfRangeException(nameof(maxTokens), maxTokens,
                $"{maxTokens} tokens leave no room for text: a {(second is null ? "row" : "pair")} has {special} special tokens; "
                + $"use {special + 1} or more.");
        var room = maxTokens - special;
        var enough = room == int.MaxValue ? room : room + 1;

        // A text longer than the row is not encoded to its end. More than `room` tokens decide nothing: longest-first cuts both down to `room` first.
        var firstIds = Tokenize(first, enough);
        var secondIds = second is null ? null : Tokenize(second, enough);
        var (firstKept, secondKept) = LongestFirst(firstIds.Count, secondIds?.Count ?? 0, room);
        var wasTruncated = firstKept < firstIds.Count || secondKept < (secondIds?.Count ?? 0);
        return _template.Fill(firstIds, firstKept, secondIds, secondKept, wasTruncated);
    }

    /// <summary>The ids of a text without special tokens around it, however long: for packing documents one after another.</summary>
    /// <param name="text">The text; empty gives no ids.</param>
    public int[] EncodeRaw(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. Tokenize(text, int.MaxValue)];
    }

    /// <summary>A row of ids that <see cref="EncodeRaw"/> gave, with the special tokens of a single text around them.</summary>
    internal EncodedText Wrap(int[] ids) => _template.Fill([.. ids], ids.Length, null, 0, wasTruncated: false);

    /// <summary>How another tokenizer's vocabulary differs from this one's, as a phrase; null where every id stands for the same token.</summary>
    internal string? DifferenceTo(TextTokenizer other)
    {
        if (Kind != other.Kind) return $"one is {Kind}, the other {other.Kind}";
        if (VocabularySize != other.VocabularySize) return $"one has {VocabularySize} entries, the other {other.VocabularySize}";
        for (var id = 0; id < _tokens.Length; id++)
            if (_tokens[id] != other._tokens[id]) return $"id {id} is {MessageText.Quote(_tokens[id] ?? "")} in one and {MessageText.Quote(other._tokens[id] ?? "")} in the other";
        return null;
    }

    /// <summary>Whether an id is a special token, which is no part of any text: padding, mask, separators.</summary>
    /// <param name="id">Any number; one that is no token is not special.</param>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

    /// <summary>Whether a token begins a word: in BPE and unigram models it begins with a space, in WordPiece it has no <c>##</c>; added tokens do.</summary>
    /// <param name="id">A token id. A text's first token begins a word too, whatever this says: BPE sees no space before it.</param>
    public bool StartsWord(int id) => (uint)id < (uint)_startsWord.Length && _startsWord[id];

    /// <summary>The text of some ids, for reading: exact for byte-level BPE; others have lost what their normalizer takes away, such as double spaces.</summary>
    /// <param name="ids">Token ids; one that is no token shows as U+FFFD.</param>
    /// <param name="keepSpecial">Whether special tokens are shown by name; otherwise they are left out.</param>
    public string Decode(IReadOnlyList<int> ids, bool keepSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var text = new StringBuilder();
        var pending = new List<string>();
        foreach (var id in ids)
        {
            if (IsSpecial(id) && !keepSpecial) continue;
            var token = (uint)id < (uint)_tokens.Length ? _tokens[id] : null;
            if (token is not null && !_isAdded[id])
            {
                pending.Add(token);
                continue;
            }
            _model.AppendText(pending, text);
            pending.Clear();
            text.Append(token ?? "\uFFFD");
        }
        _model.AppendText(pending, text);
        return text.ToString();
    }

    /// <summary>Begins to read text off token by token, for ids that come in one by one.</summary>
    /// <param name="continuesText">Whether text stands before, so that a first space is one of its own.</param>
    /// <exception cref="InvalidOperationException">The tokens do not spell bytes one after the other (WordPiece, Unigram): use <see cref="Decode"/>.</exception>
    public IncrementalText StartDecoding(bool continuesText = false) => _model is IByteSpelling
        ? new IncrementalText(this, continuesText)
        : throw new InvalidOperationException($"{Kind} tokens are not read off one by one; decode all ids together.");

    /// <summary>How a token's bytes are read off; null for an added token, and for an id that is no token.</summary>
    internal IByteSpelling? SpellingOf(int id) => (uint)id < (uint)_tokens.Length && _tokens[id] is not null && !_isAdded[id] ? _model as IByteSpelling : null;

    /// <summary>A token as the vocabulary writes it; U+FFFD for an id that is no token.</summary>
    internal string ContentOf(int id) => ((uint)id < (uint)_tokens.Length ? _tokens[id] : null) ?? "\uFFFD";

    private static int Role(int? id, string role) => id ?? throw new InvalidOperationException(
        $"The tokenizer has no {role}_token; name one in {TokenizerFileSet.TokenizerConfig}, or use a checkpoint of the kind that has it.");

    /// <summary>Ids of the text around and between added tokens; may stop once it has <paramref name="enough"/>.</summary>
    private List<int> Tokenize(string text, int enough)
    {
        var ids = new List<int>();
        foreach (var (place, outer) in _verbatimTokens.Split(Utf16.ReplaceInvalid(text)).Index())
        {
            if (ids.Count >= enough) break;
            if (outer.Id is { } id)
            {
                ids.Add(id);
                continue;
            }
            var normalized = place > 0 ? _model.NormalizeLater(outer.Text) : _model.Normalize(outer.Text);
            foreach (var inner in _normalizedTokens.Split(normalized))
            {
                if (ids.Count >= enough) break;
                if (inner.Id is { } innerId) ids.Add(innerId);
                else _model.Encode(inner.Text, enough, ids);
            }
        }
        return ids;
    }

    private static (int First, int Second) LongestFirst(int first, int second, int room)
    {
        while (first + second > room)
        {
            if (first > second) first--;
            else second--;
        }
        return (first, second);
    }
}
