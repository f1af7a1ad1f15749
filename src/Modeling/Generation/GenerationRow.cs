namespace MLNetLoRA.Modeling;

/// <summary>One text in the making.</summary>
internal sealed class GenerationRow
{
    private readonly GenerationOptions _options;
    private readonly IReadOnlySet<int> _endIds;
    private readonly int _mostNew;
    private readonly List<int> _ids;
    private readonly HashSet<int> _seen;
    private readonly int _promptLength;
    private readonly TokenSampler _sampler;
    private readonly IncrementalText _reader;
    private readonly StopStringFilter _filter;
    private readonly System.Text.StringBuilder _text = new();

    /// <param name="prompt">One id at least, and less than <paramref name="context"/>.</param>
    /// <param name="context">How many tokens the model can hold.</param>
    /// <param name="endIds">The tokens that end a text.</param>
    /// <param name="reader">Reads the text that goes on from the prompt.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="seed">Of the draws.</param>
    public GenerationRow(IReadOnlyList<int> prompt, int context, IReadOnlySet<int> endIds, IncrementalText reader, GenerationOptions options, int seed)
    {
        (_options, _endIds, _reader) = (options, endIds, reader);
        _ids = [.. prompt];
        _seen = [.. prompt];
        _promptLength = prompt.Count;
        _mostNew = Math.Min(options.MaxNewTokens, context - prompt.Count);
        _sampler = new TokenSampler(options, seed);
        _filter = new StopStringFilter(options.StopStrings);
    }

    /// <summary>Prompt and new tokens.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>How many tokens the text may have in all.</summary>
    public int MostTokens => _promptLength + _mostNew;

    /// <summary>Why the text ended; null while it goes on.</summary>
    public GenerationEnd? End { get; private set; }

    /// <summary>Adds the token chosen from its logits, unless the text has ended.</summary>
    /// <param name="logits">One for each id; changed.</param>
    /// <returns>The text that is certain with it; often empty.</returns>
    public string Add(Span<float> logits)
    {
        if (End is not null) return "";
        var id = _sampler.Choose(logits, _seen);
        _ids.Add(id);
        _seen.Add(id);
        var isEnd = _endIds.Contains(id);
        var passing = isEnd ? "" : _filter.Append(_reader.Append(id));
        End = isEnd ? GenerationEnd.EndToken
            : _filter.HasStopped ? GenerationEnd.StopString
            : _ids.Count < MostTokens ? null
            : _mostNew == _options.MaxNewTokens ? GenerationEnd.MaxNewTokens : GenerationEnd.ContextFull;
        if (End is not null) passing += Finish();
        _text.Append(passing);
        return passing;
    }

    /// <summary>The text, once it has ended.</summary>
    public GeneratedText ToText() => new([.. _ids.Take(_promptLength)], [.. _ids.Skip(_promptLength)], _text.ToString(), End!.Value);

    // A character left unfinished may still complete a stop string.
    private string Finish()
    {
        var passing = _filter.Append(_reader.Finish());
        return passing + _filter.Finish();
    }
}
