using System.Globalization;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>What stands beside the vocabulary in three small files; any may be absent.</summary>
/// <remarks>They are <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> (where the former is silent) and <c>added_tokens.json</c>.</remarks>
internal sealed class TokenizerConfig
{
    private readonly Dictionary<string, string> _roles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool?> _flags = new(StringComparer.Ordinal);
    private readonly List<AddedToken> _addedTokens = [];

    private TokenizerConfig()
    {
    }

    /// <summary>The Hugging Face class, such as <c>RobertaTokenizerFast</c>; null when no file names it.</summary>
    public string? TokenizerClass { get; private set; }

    /// <summary>Whether the class gives its model token types; DistilBERT's keeps BERT's template and passes none.</summary>
    public bool HasTokenTypes => TokenizerClass is not ("DistilBertTokenizer" or "DistilBertTokenizerFast");

    /// <summary>Tokens beside those of the vocabulary file, with their matching rules.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _addedTokens;

    public static TokenizerConfig Read(TokenizerFileSet files)
    {
        var config = new TokenizerConfig();
        if (files.Has(TokenizerFileSet.SpecialTokensMap)) files.ReadJson(TokenizerFileSet.SpecialTokensMap, config.ReadRoles);
        if (files.Has(TokenizerFileSet.TokenizerConfig)) files.ReadJson(TokenizerFileSet.TokenizerConfig, config.ReadConfig);
        if (files.Has(TokenizerFileSet.AddedTokens)) files.ReadJson(TokenizerFileSet.AddedTokens, config.ReadAddedTokens);
        return config;
    }

    /// <summary>The token named for a role such as <c>mask_token</c>.</summary>
    public string Role(string role, string otherwise) => _roles.GetValueOrDefault(role, otherwise);

    /// <summary>The token named for a role; null where no file names one.</summary>
    public string? Role(string role) => _roles.GetValueOrDefault(role);

    /// <summary>A switch such as <c>do_lower_case</c>; a null that is written there counts.</summary>
    public bool? Flag(string name, bool? otherwise) => _flags.TryGetValue(name, out var flag) ? flag : otherwise;

    /// <summary>An added token as <c>tokenizer.json</c> and <c>added_tokens_decoder</c> spell it.</summary>
    public static AddedToken ReadAddedToken(JsonElement entry, int id) => new(
        id,
        entry.GetProperty("content").GetString()!,
        IsOn(entry, "special"),
        IsOn(entry, "lstrip"),
        IsOn(entry, "rstrip"),
        IsOn(entry, "single_word"),
        IsOn(entry, "normalized"));

    private bool ReadConfig(JsonElement root)
    {
        ReadRoles(root);
        foreach (var property in root.EnumerateObject())
        {
            if (property.Value.ValueKind is JsonValueKind.True or JsonValueKind.False) _flags[property.Name] = property.Value.GetBoolean();
            else if (property.Value.ValueKind is JsonValueKind.Null) _flags[property.Name] = null;
        }
        if (root.TryGetProperty("tokenizer_class", out var name)) TokenizerClass = name.GetString();
        if (root.TryGetProperty("added_tokens_decoder", out var decoder))
            foreach (var entry in decoder.EnumerateObject())
                Add(ReadAddedToken(entry.Value, int.Parse(entry.Name, CultureInfo.InvariantCulture)));
        return true;
    }

    private bool ReadRoles(JsonElement root)
    {
        foreach (var property in root.EnumerateObject())
        {
            if (!property.Name.EndsWith("_token", StringComparison.Ordinal)) continue;
            if (property.Value.ValueKind == JsonValueKind.String) _roles[property.Name] = property.Value.GetString()!;
            else if (property.Value.ValueKind == JsonValueKind.Object) _roles[property.Name] = property.Value.GetProperty("content").GetString()!;
        }
        return true;
    }

    private bool ReadAddedTokens(JsonElement root)
    {
        foreach (var entry in root.EnumerateObject())
            if (_addedTokens.TrueForAll(token => token.Content != entry.Name))   // here it has no rules, in the decoder it has
                Add(new AddedToken(entry.Value.GetInt32(), entry.Name, IsSpecial: false, IsNormalized: true));
        return true;
    }

    private void Add(AddedToken token)
    {
        if (_addedTokens.Exists(other => other.Content == token.Content)) throw new JsonException($"Token '{token.Content}' is added twice.");
        _addedTokens.Add(token);
    }

    private static bool IsOn(JsonElement entry, string flag) => entry.TryGetProperty(flag, out var value) && value.GetBoolean();
}
