using System.CommandLine;
using MLNetLoRA.Cli.Verbs;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>The options that say what is looked for, and how.</summary>
internal sealed class SpectralOptions
{
    private const string Fast = "fast";
    private const string Reference = "reference";
    private const string Left = "left";
    private const string Right = "right";

    private readonly Option<IReadOnlyList<int>?> _topK = VerbOptions.Numbers<int>(
        "--top-k", "How many leading singular vectors of each matrix are judged (default 10; at most its shorter side).");
    private readonly Option<IReadOnlyList<double>?> _epsilon = VerbOptions.Numbers<double>(
        "--epsilon", "A vector is an intruder when its |cosine| with every one of the base is below this (default 0.5).");
    private readonly Option<string?> _method = VerbOptions.Choice(
        "--method", "fast (default): from the base's singular basis. reference: from complete decompositions. Both decide alike.", Fast, Reference);
    private readonly Option<string?> _side = VerbOptions.Choice(
        "--side", "Which singular vectors are compared: left (default), in the space of a layer's outputs, or right.", Left, Right);
    private readonly Option<string?> _cache = VerbOptions.Path(
        "--cache", $"Keep bases of matrices from {SpectrumCache.SmallestSide} by {SpectrumCache.SmallestSide} on here, for later runs (default: your cache folder, up to 4 GB).", "DIR");
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Keep nothing for later runs." };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_topK, _epsilon, _method, _side, _cache, _noCache];

    public void AddTo(Command command)
    {
        foreach (var option in All) command.Add(option);
    }

    /// <summary>The settings typed, checked.</summary>
    /// <exception cref="BadInputException">One is out of its range; the message names all that are.</exception>
    public SpectralSettings Read(ParseResult parsed)
    {
        var settings = new SpectralSettings
        {
            Method = parsed.GetValue(_method) == Reference ? SpectralMethod.Complete : SpectralMethod.Fast,
            Side = parsed.GetValue(_side) == Right ? SingularSide.Right : SingularSide.Left,
        };
        if (parsed.GetValue(_topK) is { } topK) settings = settings with { TopK = [.. topK.Distinct()] };
        if (parsed.GetValue(_epsilon) is { } epsilon) settings = settings with { Epsilon = [.. epsilon.Distinct()] };
        return settings.Faults().ToList() is { Count: > 0 } faults ? throw new BadInputException(OptionNames.AsTyped(string.Join(' ', faults))) : settings;
    }

    /// <summary>As <see cref="Read"/>, where only one number of each is of use.</summary>
    /// <inheritdoc cref="Read" path="/exception"/>
    public SpectralSettings ReadSingle(ParseResult parsed)
    {
        var settings = Read(parsed);
        if (settings.TopK.Count > 1) throw new BadInputException($"--top-k holds {settings.TopK.Count} numbers; give the one that makes an intruder here.");
        return settings.Epsilon.Count > 1
            ? throw new BadInputException($"--epsilon holds {settings.Epsilon.Count} numbers; give the one that makes an intruder here.")
            : settings;
    }

    /// <summary>The cache typed, or that of the user.</summary>
    /// <exception cref="BadInputException">The folder typed cannot be used, or both options are given.</exception>
    public SpectrumCache OpenCache(ParseResult parsed)
    {
        var folder = parsed.GetValue(_cache);
        if (!parsed.GetValue(_noCache)) return folder is null ? SpectrumCache.OfUser() : SpectrumCache.In(folder);
        return folder is null ? SpectrumCache.None : throw new BadInputException("--cache and --no-cache are both given; give one of them.");
    }

    /// <summary>How a method and a side are typed.</summary>
    public static (string Method, string Side) AsTyped(SpectralSettings settings) =>
        (settings.Method == SpectralMethod.Complete ? Reference : Fast, settings.Side == SingularSide.Right ? Right : Left);
}
