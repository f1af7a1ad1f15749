using System.Text.Json;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Forwarding;

/// <summary>Token ids for one pass, checked against the network that will run them.</summary>
internal sealed class ForwardInputs
{
    /// <summary>A label that counts for nothing: Hugging Face's convention.</summary>
    private const long Ignored = -100;

    private const long LargestFile = 256 << 20;
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    private readonly string _path;
    private readonly JsonElement _root;

    private ForwardInputs(string path, JsonElement root, ForwardLimits limits)
    {
        (_path, _root) = (path, root);
        var ids = Rectangle("input_ids", null) ?? throw Bad("there are no input_ids; an array of rows of token ids was wanted");
        (RowCount, TokenCount, Ids) = (ids.Rows, ids.Columns, ids.Values);
        if (TokenCount > limits.MaxTokens) throw Bad($"input_ids has rows of {TokenCount} tokens; the model takes up to {limits.MaxTokens}");
        CheckRange("input_ids", Ids, limits.VocabularySize);

        var mask = Rectangle("attention_mask", (RowCount, TokenCount))
            ?? throw Bad("there is no attention_mask; rows of 1 (a token) and 0 (padding) were wanted");
        CheckRange("attention_mask", mask.Values, 2);
        Attended = [.. mask.Values.Select(value => value == 1)];
        for (var row = 0; row < RowCount; row++)
            if (!Attended.AsSpan(row * TokenCount, TokenCount).Contains(true))
                throw Bad($"attention_mask row {row} has no 1; a row needs at least one token");

        TokenTypes = Rectangle("token_type_ids", (RowCount, TokenCount))?.Values;
        if (TokenTypes is not null && limits.TypeVocabularySize == 0)
            throw Bad($"token_type_ids are given, and {limits.ModelType} has no token types; leave them out");
        if (TokenTypes is not null) CheckRange("token_type_ids", TokenTypes, limits.TypeVocabularySize);
        Labels = limits.ClassCount is { } classes ? ClassLabels(classes) : TokenLabels(limits.VocabularySize);
        if (Labels is not null && Labels.All(label => label == Ignored))
            throw Bad($"labels are all {Ignored}; give at least one that counts, or leave labels out");
        if (limits.IsCausal && Labels is not null && Labels.Where((_, place) => place % TokenCount > 0).All(label => label == Ignored))
            throw Bad($"no label counts: a row's first token has nothing before it to be guessed from; give a later token one other than {Ignored}, or leave labels out");
    }

    public int RowCount { get; }

    public int TokenCount { get; }

    /// <summary>rows × tokens, row by row.</summary>
    public long[] Ids { get; }

    /// <summary>rows × tokens: true for a token, false for padding.</summary>
    public bool[] Attended { get; }

    /// <summary>rows × tokens; null when not given.</summary>
    public long[]? TokenTypes { get; }

    /// <summary>rows × tokens for a language model, one a row for a classifier; null when not given.</summary>
    public long[]? Labels { get; }

    /// <summary>Reads a JSON file; fields of other names are passed over.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">What the network takes.</param>
    /// <exception cref="BadInputException">The file is not such JSON, or a value is out of the network's range.</exception>
    public static ForwardInputs Read(string path, ForwardLimits limits)
    {
        if (!File.Exists(path)) throw new BadInputException($"{path}: there is no such file; a JSON file with input_ids and attention_mask was wanted.");
        if (new FileInfo(path).Length > LargestFile) throw new BadInputException($"{path}: the file is larger than {LargestFile >> 20} MiB.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), Strict);
            return document.RootElement.ValueKind is JsonValueKind.Object
                ? new ForwardInputs(path, document.RootElement, limits)
                : throw new BadInputException($"{path}: the JSON is no object; one with input_ids and attention_mask was wanted.");
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path}: not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The ids on a device; the caller disposes the batch.</summary>
    public TokenBatch ToBatch(EncoderConfig config, Device device) => TokenBatch.FromArrays(Ids, Attended, TokenTypes, RowCount, config, device);

    /// <summary>The ids as a decoder reads them; the caller disposes the batch.</summary>
    public CausalBatch ToBatch(DecoderConfig config, Device device) => CausalBatch.FromArrays(Ids, Attended, RowCount, config, device);

    /// <summary>Mean cross-entropy of each label given the tokens before it, in nats; null without labels.</summary>
    /// <param name="logits">(rows, tokens, vocabulary).</param>
    public double? MeanNextTokenLoss(Tensor logits)
    {
        if (Labels is null) return null;
        using var scope = NewDisposeScope();
        return NextTokenLoss.Mean(logits, tensor(Labels, [RowCount, TokenCount], dtype: int64, device: logits.device)).item<float>();
    }

    /// <summary>Mean cross-entropy over the labels that count, in nats; null without labels.</summary>
    /// <param name="logits">(rows, tokens, vocabulary) or (rows, classes).</param>
    public double? MeanLoss(Tensor logits)
    {
        if (Labels is null) return null;
        using var scope = NewDisposeScope();
        var wanted = tensor(Labels, dtype: int64, device: logits.device);
        return nn.functional.cross_entropy(logits.view(Labels.Length, logits.shape[^1]), wanted, ignore_index: Ignored).item<float>();
    }

    private long[]? TokenLabels(int vocabularySize)
    {
        var labels = Rectangle("labels", (RowCount, TokenCount))?.Values;
        if (labels is not null) CheckRange("labels", labels, vocabularySize, Ignored);
        return labels;
    }

    private long[]? ClassLabels(int classes)
    {
        if (Array("labels") is not { } array) return null;
        if (array.GetArrayLength() != RowCount)
            throw Bad($"labels has {array.GetArrayLength()} values, input_ids {RowCount} rows; a classifier wants one class a row");
        long[] labels = [.. array.EnumerateArray().Select(value => Integer("labels", value))];
        CheckRange("labels", labels, classes, Ignored);
        return labels;
    }

    // Rows of whole numbers, all of one length; null when the field is absent.
    private (int Rows, int Columns, long[] Values)? Rectangle(string name, (int Rows, int Columns)? wanted)
    {
        if (Array(name) is not { } array) return null;
        var values = new List<long>();
        int rows = 0, columns = 0;
        foreach (var row in array.EnumerateArray())
        {
            if (row.ValueKind is not JsonValueKind.Array)
                throw Bad($"{name} row {rows} is no array; an array of rows of whole numbers was wanted");
            if (rows == 0) columns = row.GetArrayLength();
            if (row.GetArrayLength() != columns)
                throw Bad($"{name} row {rows} has {row.GetArrayLength()} values, row 0 has {columns}; pad rows to one length");
            values.AddRange(row.EnumerateArray().Select(value => Integer(name, value)));
            rows++;
        }
        if (values.Count == 0) throw Bad($"{name} is empty; at least one row with one token was wanted");
        if (wanted is { } shape && (rows, columns) != shape)
            throw Bad($"{name} is ({rows}, {columns}), input_ids ({shape.Rows}, {shape.Columns}); they must have one shape");
        return (rows, columns, [.. values]);
    }

    private JsonElement? Array(string name)
    {
        if (!_root.TryGetProperty(name, out var value) || value.ValueKind is JsonValueKind.Null) return null;
        return value.ValueKind is JsonValueKind.Array ? value : throw Bad($"{name} is no array");
    }

    private long Integer(string name, JsonElement value)
    {
        if (value.ValueKind is not JsonValueKind.Number) throw Bad($"{name} holds a {value.ValueKind}; whole numbers were wanted");
        return value.TryGetInt64(out var number) ? number : throw Bad($"{name} holds {value.GetRawText()}; whole numbers were wanted");
    }

    private void CheckRange(string name, long[] values, long end, long? alsoAllowed = null)
    {
        foreach (var value in values)
            if ((value < 0 || value >= end) && value != alsoAllowed)
                throw Bad($"{name} holds {value}; the model takes 0 to {end - 1}{(alsoAllowed is { } other ? $", or {other}" : "")}");
    }

    private BadInputException Bad(string fault) => new($"{_path}: {fault}.");
}
