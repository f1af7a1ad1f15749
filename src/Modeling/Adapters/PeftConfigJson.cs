using System.Text.Json;
using System.Text.RegularExpressions;

namespace MLNetLoRA.Modeling;

/// <summary><see cref="PeftConfig"/> as PEFT's <c>adapter_config.json</c>.</summary>
internal static class PeftConfigJson
{
    public const string FileName = "adapter_config.json";

    // Patterns may name every matrix of a large model.
    private const int MaxBytes = 1 << 24;
    private const int LargestRank = 65_536;
    private const double LargestAlpha = 1e9;

    // Settings that make another layer of the same tensors. Absent, null, false and empty are all "off".
    private static readonly string[] OtherMathematics =
    [
        "use_dora", "lora_bias", "use_qalora", "alora_invocation_tokens", "trainable_token_indices", "layer_replication", "target_parameters",
        "corda_config", "loftq_config", "arrow_config", "use_bdlora", "velora_config",
    ];

    // Initialisations that also changed the base: the factors then belong to another W than the checkpoint's.
    private static readonly string[] ChangingTheBase = ["pissa", "olora", "loftq", "corda", "lora_ga"];

    /// <exception cref="InvalidDataException">Any fault, all together; the message starts with the path.</exception>
    public static PeftConfig Read(string path)
    {
        using var document = StrictJson.ParseObject(StrictJson.ReadBounded(path, MaxBytes), path);
        return StrictJson.Guard(path, () => Read(document.RootElement, path));
    }

    private static PeftConfig Read(JsonElement root, string path)
    {
        var fields = new JsonFields(root);
        if (fields.Text("peft_type", fallback: null) is { } type && type != "LORA")
            fields.Add("peft_type", $"peft_type is {MessageText.Quote(type)}; only LORA is supported.");
        fields.ThrowIfFaulty(path);

        RefuseOtherMathematics(root, fields);
        var config = new PeftConfig
        {
            Rank = fields.Integer("r"),
            Alpha = fields.Number("lora_alpha") ?? fields.Integer("lora_alpha"),
            IsRankStabilized = fields.Boolean("use_rslora", false),
            RankPattern = Pattern(root, fields, "rank_pattern"),
            AlphaPattern = Pattern(root, fields, "alpha_pattern"),
            ModulesToSave = Names(root, fields, "modules_to_save"),
            IsBaseTransposed = fields.Boolean("fan_in_fan_out", false),
            Notes = new PeftNotes(
                fields.Text("base_model_name_or_path", "")!, fields.Number("lora_dropout") ?? 0, fields.Has("task_type") ? fields.Text("task_type", null) : null),
        };
        foreach (var rank in config.RankPattern.Values.Append(config.Rank).Where(rank => rank is not (>= 1 and <= LargestRank) || rank % 1 != 0))
            fields.Add("r", FormattableString.Invariant($"a rank is {rank}; use a whole number from 1 to {LargestRank:N0}."));
        foreach (var alpha in config.AlphaPattern.Values.Append(config.Alpha).Where(alpha => Math.Abs(alpha) is not (>= 0 and <= LargestAlpha)))
            fields.Add("lora_alpha", FormattableString.Invariant($"an alpha is {alpha}; at most {LargestAlpha:G1} was expected."));
        fields.ThrowIfFaulty(path);
        return config;
    }

    private static void RefuseOtherMathematics(JsonElement root, JsonFields fields)
    {
        foreach (var key in OtherMathematics.Where(key => root.TryGetProperty(key, out var value) && !IsOff(value)))
            fields.Add(key, $"{key} is set, which this library does not compute; use an adapter without it.");
        if (fields.Text("bias", "none") is { } bias && bias != "none")
            fields.Add("bias", $"bias is {MessageText.Quote(bias)}; only none is supported.");
        if (root.TryGetProperty("init_lora_weights", out var initialization) && initialization.ValueKind is JsonValueKind.String
            && ChangingTheBase.Any(name => initialization.GetString()!.StartsWith(name, StringComparison.OrdinalIgnoreCase)))
        {
            fields.Add("init_lora_weights", $"init_lora_weights is {MessageText.Quote(initialization.GetString()!)}, which changed the base as well; "
                + "save the adapter again with PEFT's path_initial_model_for_weight_conversion, which turns it into a plain LoRA.");
        }
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.GetString()!.Length == 0,
        _ => false,
    };

    private static Dictionary<string, double> Pattern(JsonElement root, JsonFields fields, string key)
    {
        var pattern = new Dictionary<string, double>(StringComparer.Ordinal);
        if (!root.TryGetProperty(key, out var value) || IsOff(value)) return pattern;
        if (value.ValueKind is not JsonValueKind.Object)
        {
            fields.Add(key, $"{key} is {StrictJson.Describe(value.ValueKind)}; an object of numbers by module name was wanted.");
            return pattern;
        }
        foreach (var entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind is not JsonValueKind.Number || !entry.Value.TryGetDouble(out var number))
                fields.Add(key, $"{key}.{MessageText.Quote(entry.Name)} is {StrictJson.Describe(entry.Value.ValueKind)}; a number was wanted.");
            else if (!IsPattern(entry.Name))
                fields.Add(key, $"{key}.{MessageText.Quote(entry.Name)} is no module name and no regular expression.");
            else
                pattern.Add(entry.Name, number);
        }
        return pattern;
    }

    private static bool IsPattern(string text)
    {
        try
        {
            _ = new Regex(text, RegexOptions.CultureInvariant);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static List<string> Names(JsonElement root, JsonFields fields, string key)
    {
        if (!root.TryGetProperty(key, out var value) || IsOff(value)) return [];
        if (value.ValueKind is JsonValueKind.Array && value.EnumerateArray().All(name => name.ValueKind is JsonValueKind.String))
            return [.. value.EnumerateArray().Select(name => name.GetString()!)];
        fields.Add(key, $"{key} is {StrictJson.Describe(value.ValueKind)}; a list of module names was wanted.");
        return [];
    }

    /// <summary>The file for factors whose ranks and scales may all differ: both patterns name each module that the common numbers do not suit.</summary>
    /// <param name="json">Receives one object.</param>
    /// <param name="factors">By module name.</param>
    /// <param name="modulesToSave">Modules trained in full.</param>
    /// <param name="notes">For the reader.</param>
    public static void Write(
        Utf8JsonWriter json, IReadOnlyDictionary<string, LoraFactors> factors, IReadOnlyList<string> modulesToSave, PeftNotes notes)
    {
        var (rank, alpha) = Commonest(factors.Values);
        var modules = factors.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToList();
        json.WriteStartObject();
        json.WriteString("peft_type", "LORA");
        if (notes.TaskType is { } task) json.WriteString("task_type", task);
        else json.WriteNull("task_type");
        json.WriteString("base_model_name_or_path", notes.BaseName);
        json.WriteNumber("r", rank);
        json.WriteNumber("lora_alpha", alpha);
        json.WriteNumber("lora_dropout", notes.Dropout);
        WriteNames("target_modules", modules.Select(module => module.Key));
        json.WriteString("bias", "none");
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        json.WriteBoolean("use_rslora", false);
        json.WriteBoolean("use_dora", false);
        if (modulesToSave.Count > 0) WriteNames("modules_to_save", modulesToSave);
        else json.WriteNull("modules_to_save");
        WritePattern("rank_pattern", module => module.Rank, rank);
        WritePattern("alpha_pattern", AlphaOf, alpha);
        json.WriteEndObject();

        void WriteNames(string key, IEnumerable<string> names)
        {
            json.WriteStartArray(key);
            foreach (var name in names) json.WriteStringValue(name);
            json.WriteEndArray();
        }

        void WritePattern(string key, Func<LoraFactors, double> value, double common)
        {
            json.WriteStartObject(key);
            // The module's own name is the pattern: PEFT reads it as a regular expression, in which only the name itself has its length.
            foreach (var (name, module) in modules)
                if (value(module) != common) json.WriteNumber(name, value(module));
            json.WriteEndObject();
        }
    }

    private static double AlphaOf(LoraFactors factors) => factors.Scale * factors.Rank;

    private static (int Rank, double Alpha) Commonest(IEnumerable<LoraFactors> factors) =>
        factors.CountBy(module => (module.Rank, AlphaOf(module))).MaxBy(pair => pair.Value).Key;
}
