using System.Text.RegularExpressions;

namespace MLNetLoRA.Modeling;

/// <summary>What <c>adapter_config.json</c> says beyond the tensors: how strongly each matrix's factors count.</summary>
/// <remarks>Source: PEFT's LoraConfig and tuners/lora/model.py.</remarks>
internal sealed record PeftConfig
{
    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(1);

    /// <summary>Rank of every matrix that <see cref="RankPattern"/> does not name.</summary>
    public required int Rank { get; init; }

    public required double Alpha { get; init; }

    /// <summary>Rank by module name or regular expression.</summary>
    public IReadOnlyDictionary<string, double> RankPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Alpha by module name or regular expression.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Divide alpha by √rank instead of rank (arXiv 2312.03732).</summary>
    public bool IsRankStabilized { get; init; }

    /// <summary>Modules trained in full, by the end of their name.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Whether the base stores its matrices as (in, out), as GPT-2 does.</summary>
    public bool IsBaseTransposed { get; init; }

    /// <summary>What the adapter was trained with, for whoever reads the file.</summary>
    public PeftNotes Notes { get; init; } = new("", 0, null);

    /// <summary>The rank that the file promises for a module.</summary>
    public int RankOf(string module) => (int)(Find(RankPattern, module) ?? Rank);

    /// <summary>The factor on B A.</summary>
    public double ScaleOf(string module)
    {
        var (rank, alpha) = (RankOf(module), Find(AlphaPattern, module) ?? Alpha);
        return alpha / (IsRankStabilized ? Math.Sqrt(rank) : rank);
    }

    /// <summary>Whether the parameter belongs to a module trained in full.</summary>
    public bool Saves(string key) => ModulesToSave.Any(name =>
        key.StartsWith($"{name}.", StringComparison.Ordinal) || key.Contains($".{name}.", StringComparison.Ordinal));

    // As PEFT: the first pattern that matches the whole name, or the name from one of its dots on.
    private static double? Find(IReadOnlyDictionary<string, double> pattern, string module)
    {
        foreach (var (key, value) in pattern)
            if (Regex.IsMatch(module, $@"^(.*\.)?({key})$", RegexOptions.CultureInvariant, LongestMatch)) return value;
        return null;
    }
}
