using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Reads tokens, their ids and their merges from files, and refuses what no tokenizer has.</summary>
internal static class Vocabulary
{
    /// <summary>Ten times the largest vocabularies in use.</summary>
    private const int MaxId = 10_000_000;

    /// <summary>Reads <c>{"token": id, …}</c>.</summary>
    public static Dictionary<string, int> FromJson(JsonElement element, Func<string, Exception> fault)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var owners = new Dictionary<int, string>();
        foreach (var property in element.EnumerateObject())
        {
            var (token, id) = (property.Name, property.Value.GetInt32());
            CheckId(token, id, fault);
            if (!ids.TryAdd(token, id)) throw fault($"token '{token}' stands there twice; use the file that came with the checkpoint.");
            if (!owners.TryAdd(id, token))
                throw fault($"tokens '{owners[id]}' and '{token}' have the same id {id}; use the file that came with the checkpoint.");
        }
        if (ids.Count == 0) throw fault("the vocabulary is empty; use the file that came with the checkpoint.");
        return ids;
    }

    /// <summary>Reads one token a line, ids counting from 0. A token that stands there twice has its last id, as in Hugging Face's reader.</summary>
    public static Dictionary<string, int> FromLines(string text, Func<string, Exception> fault)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        using var lines = new StringReader(text);
        for (var id = 0; lines.ReadLine() is { } token; id++)
        {
            CheckId(token, id, fault);
            ids[token] = id;
        }
        if (ids.Count == 0) throw fault("the vocabulary is empty; use the file that came with the checkpoint.");
        return ids;
    }

    /// <summary>Reads <c>merges.txt</c>: two tokens a line, best first, below a version line.</summary>
    public static List<(string Left, string Right)> MergesFromLines(string text, Func<string, Exception> fault)
    {
        var merges = new List<(string, string)>();
        using var lines = new StringReader(text);
        for (var number = 1; lines.ReadLine() is { } line; number++)
        {
            if (line.Length == 0 || (number == 1 && line.StartsWith("#version", StringComparison.Ordinal))) continue;
            merges.Add(MergeFromText(line, $"line {number}", fault));
        }
        return merges;
    }

    /// <summary>Reads the merges of <c>tokenizer.json</c>: <c>"a b"</c> or <c>["a", "b"]</c>.</summary>
    public static List<(string Left, string Right)> MergesFromJson(JsonElement element, Func<string, Exception> fault)
    {
        var merges = new List<(string, string)>();
        foreach (var entry in element.EnumerateArray())
        {
            var place = $"merge {merges.Count + 1}";
            if (entry.ValueKind == JsonValueKind.String) merges.Add(MergeFromText(entry.GetString()!, place, fault));
            else if (entry.GetArrayLength() == 2) merges.Add((entry[0].GetString()!, entry[1].GetString()!));
            else throw fault($"{place} has {entry.GetArrayLength()} parts; a merge joins two tokens. Use the file that came with the checkpoint.");
        }
        return merges;
    }

    /// <summary>The merges as the merger takes them: all their tokens in the vocabulary, each merge once, at its last place as in Hugging Face's reader.</summary>
    public static List<string> CheckMerges(
        List<(string Left, string Right)> merges, IReadOnlyDictionary<string, int> vocabulary, Func<string, Exception> fault)
    {
        var places = new Dictionary<(string, string), int>();
        for (var place = 0; place < merges.Count; place++)
        {
            var (left, right) = merges[place];
            foreach (var token in (ReadOnlySpan<string>)[left, right, left + right])
                if (!vocabulary.ContainsKey(token))
                    throw fault($"merge '{left} {right}' needs token '{token}', which the vocabulary lacks; "
                        + "use the vocabulary and merges of one checkpoint.");
            places[(left, right)] = place;
        }
        return [.. merges.Where((merge, place) => places[merge] == place).Select(merge => $"{merge.Left} {merge.Right}")];
    }

    /// <summary>Added tokens must not take another token's id, and the ids together must not leave most of their range free.</summary>
    public static void CheckTogether(IReadOnlyDictionary<string, int> vocabulary, IEnumerable<AddedToken> added, Func<string, Exception> fault)
    {
        var owners = new Dictionary<int, string>();
        foreach (var (token, id) in vocabulary.Concat(added.Select(token => KeyValuePair.Create(token.Content, token.Id))))
        {
            CheckId(token, id, fault);
            if (!owners.TryAdd(id, token) && owners[id] != token)
                throw fault($"tokens '{owners[id]}' and '{token}' have the same id {id}; use the file that came with the checkpoint.");
        }
        // Every table of the model has a row per id. Real vocabularies have no gaps, or a few hundred ids.
        var largest = owners.Keys.Max();
        if (largest > 4L * owners.Count + 1000)
            throw fault($"{owners.Count} tokens have ids up to {largest}; number them without such gaps, or use the file that came with the checkpoint.");
    }

    private static (string, string) MergeFromText(string text, string place, Func<string, Exception> fault)
    {
        var parts = text.Split(' ');
        return parts is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw fault($"{place} is '{text}'; a merge is two tokens with a space between them. Use the file that came with the checkpoint.");
    }

    private static void CheckId(string token, int id, Func<string, Exception> fault)
    {
        if (id is < 0 or >= MaxId)
            throw fault($"token '{token}' has id {id}; ids are 0 to {MaxId - 1}. Use the file that came with the checkpoint.");
    }
}
