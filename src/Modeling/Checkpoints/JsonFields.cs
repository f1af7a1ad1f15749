using System.Globalization;
using System.Text.Json;

namespace MLNetLoRA.Modeling;

/// <summary>Typed fields of one JSON object; faults are collected, to be thrown together. A null counts as absent.</summary>
internal sealed class JsonFields(JsonElement root)
{
    private readonly List<(string Key, string Text)> _faults = [];

    public bool IsFaulty(string key) => _faults.Exists(fault => fault.Key == key);

    public void Add(string key, string fault) => _faults.Add((key, fault));

    /// <exception cref="InvalidDataException">Any fault so far.</exception>
    public void ThrowIfFaulty(string source)
    {
        if (_faults.Count > 0) throw new InvalidDataException($"{source}: {string.Join(" ", _faults.Select(fault => fault.Text))}");
    }

    public bool Has(string key) => Find(key) is not null;

    /// <summary>Whether there is more than an empty object or array.</summary>
    public bool HasContent(string key) => Find(key) switch
    {
        null => false,
        { ValueKind: JsonValueKind.Object } value => value.EnumerateObject().Any(),
        { ValueKind: JsonValueKind.Array } value => value.GetArrayLength() > 0,
        _ => true,
    };

    /// <summary>A whole number; without <paramref name="fallback"/> it must be there.</summary>
    public int Integer(string key, int? fallback = null)
    {
        if (Find(key) is not { } value) return fallback ?? Missing(key, 0);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)) return number;
        return Mistyped(key, value, "a whole number", 0);
    }

    /// <summary>A finite number, or null where it is absent.</summary>
    public double? Number(string key)
    {
        if (Find(key) is not { } value) return null;
        // 1e999 is a JSON number that reads as infinity.
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number)) return number;
        return Mistyped(key, value, "a finite number", (double?)null);
    }

    public bool Boolean(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => Mistyped(key, value, "true or false", fallback),
    };

    /// <summary>A string; without <paramref name="fallback"/> it must be there, and null says that it is faulty.</summary>
    public string? Text(string key, string? fallback)
    {
        if (Find(key) is not { } value) return fallback ?? Missing<string?>(key, null);
        return value.ValueKind == JsonValueKind.String ? value.GetString() : Mistyped(key, value, "a string", fallback);
    }

    /// <summary>One of a few values by name; without <paramref name="fallback"/> it must be there.</summary>
    public T Choice<T>(string key, (string Name, T Value)[] choices, string? fallback)
    {
        var supported = $"supported are {string.Join(", ", choices.Select(choice => choice.Name))}.";
        if (fallback is null && !Has(key))
        {
            Add(key, $"{key} is missing; {supported}");
            return default!;
        }
        if (Text(key, fallback) is not { } name) return default!;
        var index = Array.FindIndex(choices, choice => choice.Name == name);
        if (index >= 0) return choices[index].Value;
        Add(key, $"{key} is {MessageText.Quote(name)}; {supported}");
        return default!;
    }

    /// <summary>Whole numbers, from one number or an array of them; empty where it is absent.</summary>
    public IReadOnlyList<int> Integers(string key)
    {
        if (Find(key) is not { } value) return [];
        var numbers = new List<int>();
        foreach (var element in value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : (JsonElement[])[value])
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out var number))
                return Mistyped<int[]>(key, element, "a whole number, or an array of them,", []);
            numbers.Add(number);
        }
        return numbers;
    }

    /// <summary>Strings of an array; empty where it is absent.</summary>
    public IReadOnlyList<string> Texts(string key)
    {
        if (Find(key) is not { } value) return [];
        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(element => element.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(element => element.GetString()!)]
            : Mistyped<string[]>(key, value, "an array of strings", []);
    }

    /// <summary>The fields of a nested object; null where it is absent. Faults found in it stay in it: see <see cref="AddAll"/>.</summary>
    public JsonFields? Object(string key)
    {
        if (Find(key) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Object ? new JsonFields(value) : Mistyped<JsonFields?>(key, value, "an object", null);
    }

    /// <summary>Takes over the faults of a nested object.</summary>
    public void AddAll(string key, JsonFields nested)
    {
        foreach (var (_, text) in nested._faults) Add(key, $"{key}.{text}");
    }

    /// <summary>Whether null is written there, which means something else than silence where the default is a value.</summary>
    public bool IsNull(string key) => root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>Names by id, from an object whose keys are the ids; null unless they are 0, 1, 2, and so on, in any order.</summary>
    public IReadOnlyList<string>? Names(string key)
    {
        if (Find(key) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Object) return Mistyped<string[]?>(key, value, "an object of names by id", null);

        var names = new SortedDictionary<int, string>();
        foreach (var property in value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                return Mistyped<string[]?>($"{key}.{MessageText.Quote(property.Name)}", property.Value, "a string", null);
            if (!int.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) return null;
            // "1" and "01" are different keys and the same id.
            if (!names.TryAdd(id, property.Value.GetString()!)) return null;
        }
        return names.Count > 0 && names.Keys.Last() == names.Count - 1 ? Array.AsReadOnly(names.Values.ToArray()) : null;
    }

    private JsonElement? Find(string key) =>
        root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private T Missing<T>(string key, T fallback)
    {
        Add(key, $"{key} is missing.");
        return fallback;
    }

    private T Mistyped<T>(string key, JsonElement value, string wanted, T fallback)
    {
        var found = value.ValueKind == JsonValueKind.Number ? MessageText.Quote(value.GetRawText()) : StrictJson.Describe(value.ValueKind);
        Add(key, $"{key} is {found}; {wanted} was wanted.");
        return fallback;
    }
}
