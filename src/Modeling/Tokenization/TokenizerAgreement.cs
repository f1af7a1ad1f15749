namespace MLNetLoRA.Modeling;

/// <summary>Compares a <c>tokenizer.json</c> with the vocabulary files beside it.</summary>
/// <remarks>Of two tokenizers that differ, nobody knows which the model learned.</remarks>
internal sealed class TokenizerAgreement(TokenizerFileSet files, TokenizerDefinition json)
{
    private const int ShownDifferences = 3;

    private readonly HashSet<string> _added = [.. json.AddedTokens.Select(token => token.Content)];
    private readonly Dictionary<string, int> _ids = IdsOf(json);

    /// <exception cref="InvalidDataException">A file holds another vocabulary, or cannot be read; the text names both files.</exception>
    public void Check()
    {
        foreach (var name in VocabularyFilesReader.VocabularyNames.Where(files.Has))
        {
            var differences = Differences(name).Take(ShownDifferences + 1).ToList();
            if (differences.Count == 0) continue;
            throw files.Fault(TokenizerFileSet.TokenizerJson, $"disagrees with {files.Name(name)} beside it: "
                + $"{string.Join("; ", differences.Take(ShownDifferences))}{(differences.Count > ShownDifferences ? "; …" : "")}. "
                + "Keep the files of one checkpoint, or remove those of the other.");
        }
    }

    private IEnumerable<string> Differences(string name)
    {
        try
        {
            return name == TokenizerFileSet.VocabularyText ? CompareIds(Vocabulary.FromLines(files.ReadText(name), Fault))
                : name == TokenizerFileSet.VocabularyJson ? CompareIds(files.ReadJson(name, root => Vocabulary.FromJson(root, Fault)))
                : ComparePieces(SentencePieceFile.Read(files.ReadBytes(name).Span, Fault).Pieces);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException(
                $"{files.Name(TokenizerFileSet.TokenizerJson)} cannot be compared with the vocabulary beside it; repair or remove that. {error.Message}",
                error);
        }

        InvalidDataException Fault(string text) => files.Fault(name, text);
    }

    /// <summary>Tokens that the user added need not be in the other file; all others are in both, with the same id.</summary>
    private IEnumerable<string> CompareIds(Dictionary<string, int> other)
    {
        foreach (var (token, id) in other.OrderBy(entry => entry.Value))
        {
            if (!_ids.TryGetValue(token, out var here)) yield return $"'{token}' is only there, with id {id}";
            else if (here != id) yield return $"'{token}' has id {here} here and {id} there";
        }
        foreach (var (token, id) in json.Vocabulary.OrderBy(entry => entry.Value))
            if (!other.ContainsKey(token) && !_added.Contains(token)) yield return $"'{token}' is only here, with id {id}";
    }

    /// <summary>A class may number the pieces anew, all of them further by the same; and only its first and last tokens may be its own.</summary>
    private IEnumerable<string> ComparePieces(IReadOnlyList<SentencePiece> pieces)
    {
        int? shift = null;
        foreach (var (place, piece) in pieces.Index())
        {
            if (piece.Kind is PieceKind.Unknown or PieceKind.Control) continue;
            if (!_ids.TryGetValue(piece.Text, out var here))
            {
                yield return $"'{piece.Text}' is only there, as piece {place}";
                continue;
            }
            shift ??= here - place;
            if (here - place != shift) yield return $"'{piece.Text}' has id {here} here and {place + shift} there";
        }
        if (shift is null) yield break;
        var there = pieces.Select(piece => piece.Text).ToHashSet();
        var first = shift + pieces.Index().First(entry => entry.Item.Kind is not (PieceKind.Unknown or PieceKind.Control)).Index;
        foreach (var (token, id) in json.Vocabulary.OrderBy(entry => entry.Value))
            if (id > first && !there.Contains(token) && !_added.Contains(token)) yield return $"'{token}' is only here, with id {id}";
    }

    private static Dictionary<string, int> IdsOf(TokenizerDefinition definition)
    {
        var ids = new Dictionary<string, int>(definition.Vocabulary, StringComparer.Ordinal);
        foreach (var token in definition.AddedTokens) ids[token.Content] = token.Id;
        return ids;
    }
}
