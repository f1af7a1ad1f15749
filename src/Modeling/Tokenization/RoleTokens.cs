namespace MLNetLoRA.Modeling;

/// <summary>Finds the tokens with a role where the vocabulary is a file of its own: in it, or among those that the configuration adds.</summary>
internal sealed class RoleTokens(TokenizerFileSet files, TokenizerConfig config)
{
    /// <summary>The roles' ids, and the tokens matched in the text: those of the roles, and those the configuration adds or describes.</summary>
    public (SpecialTokens Special, IReadOnlyList<AddedToken> Added) Resolve(
        SpecialTokenNames names, string vocabularyFile, IReadOnlyDictionary<string, int> vocabulary, bool maskStripsLeft) => Resolve(
        names.Resolve, special =>
        [
            new AddedToken(special.Mask!.Value, names.Mask, IsSpecial: true, StripsLeft: maskStripsLeft),
            .. Special((special.Pad, names.Pad), (special.Unknown, names.Unknown), (special.Classify, names.Classify), (special.Separator, names.Separator)),
        ], vocabularyFile, vocabulary);

    /// <summary>The same for a decoder.</summary>
    public (SpecialTokens Special, IReadOnlyList<AddedToken> Added) Resolve(
        DecoderTokenNames names, string vocabularyFile, IReadOnlyDictionary<string, int> vocabulary) => Resolve(
        names.Resolve, special => Special((special.Pad, names.Pad), (special.Unknown, names.Unknown), (special.Begin, names.Begin), (special.End, names.End)),
        vocabularyFile, vocabulary);

    private (SpecialTokens, IReadOnlyList<AddedToken>) Resolve(
        Func<Func<string, int?>, Func<string, Exception>, SpecialTokens> resolve, Func<SpecialTokens, IEnumerable<AddedToken>> tokens,
        string vocabularyFile, IReadOnlyDictionary<string, int> vocabulary)
    {
        var added = config.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        var special = resolve(
            name => added.TryGetValue(name, out var token) ? token.Id : vocabulary.TryGetValue(name, out var id) ? id : null,
            text => files.Fault(vocabularyFile, text));
        foreach (var token in tokens(special)) added.TryAdd(token.Content, token);
        Vocabulary.CheckTogether(vocabulary, added.Values, text => files.Fault(vocabularyFile, text));
        return (special, [.. added.Values]);
    }

    private static IEnumerable<AddedToken> Special(params (int? Id, string? Name)[] roles) =>
        roles.Where(role => role.Id is not null).Select(role => new AddedToken(role.Id!.Value, role.Name!, IsSpecial: true));
}
