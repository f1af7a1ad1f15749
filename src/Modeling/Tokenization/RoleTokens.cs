namespace MLNetLoRA.Modeling;

/// <summary>Finds the tokens with a role where the vocabulary is a file of its own: in it, or among those that the configuration adds.</summary>
internal sealed class RoleTokens(TokenizerFileSet files, TokenizerConfig config)
{
    /// <summary>The roles' ids, and the tokens matched in the text: those of the roles, and those the configuration adds or describes.</summary>
    public (SpecialTokens Special, IReadOnlyList<AddedToken> Added) Resolve(
        SpecialTokenNames names, string vocabularyFile, IReadOnlyDictionary<string, int> vocabulary, bool maskStripsLeft)
    {
        var added = config.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        var special = names.Resolve(
            name => added.TryGetValue(name, out var token) ? token.Id : vocabulary.TryGetValue(name, out var id) ? id : null,
            text => files.Fault(vocabularyFile, text));
        added.TryAdd(names.Mask, new AddedToken(special.Mask, names.Mask, IsSpecial: true, StripsLeft: maskStripsLeft));
        added.TryAdd(names.Pad, new AddedToken(special.Pad, names.Pad, IsSpecial: true));
        added.TryAdd(names.Unknown, new AddedToken(special.Unknown, names.Unknown, IsSpecial: true));
        added.TryAdd(names.Classify, new AddedToken(special.Classify, names.Classify, IsSpecial: true));
        added.TryAdd(names.Separator, new AddedToken(special.Separator, names.Separator, IsSpecial: true));
        Vocabulary.CheckTogether(vocabulary, added.Values, text => files.Fault(vocabularyFile, text));
        return (special, [.. added.Values]);
    }
}
