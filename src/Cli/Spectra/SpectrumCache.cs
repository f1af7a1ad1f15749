using MLNetLoRA.Cli.Output;
using MLNetLoRA.Spectral;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>Where the bases of base matrices come from: the disk where they were computed before, or nowhere.</summary>
internal sealed class SpectrumCache
{
    /// <summary>Smaller matrices are decomposed as fast as they are read.</summary>
    public const int SmallestSide = 256;

    private readonly BaseSpectrumCache? _cache;
    private readonly Dictionary<CacheOutcome, int> _outcomes = [];
    private string? _problem;

    private SpectrumCache(BaseSpectrumCache? cache) => _cache = cache;

    /// <summary>Keeps nothing.</summary>
    public static SpectrumCache None => new(null);

    /// <summary>Bases that were on the disk.</summary>
    public int FoundCount => _outcomes.GetValueOrDefault(CacheOutcome.Found);

    /// <summary>Keeps bases in a folder that the user named.</summary>
    /// <exception cref="BadInputException">It cannot be created.</exception>
    public static SpectrumCache In(string folder)
    {
        OutputPaths.CheckFolder(folder);
        try
        {
            return new SpectrumCache(new BaseSpectrumCache(folder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{folder}: --cache cannot be created: {e.Message}", e);
        }
    }

    /// <summary>Keeps bases in the user's cache folder; nothing where there is none.</summary>
    public static SpectrumCache OfUser()
    {
        try
        {
            return UserFolder() is { } folder ? new SpectrumCache(new BaseSpectrumCache(folder)) : None;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new SpectrumCache(null) { _problem = $"Nothing is kept for later runs: {e.Message}" };
        }
    }

    /// <summary>The basis of a change's base; null where the detector is to find it itself. The caller disposes it.</summary>
    public CachedBaseSpectrum? BasisOf(WeightChange change)
    {
        if (_cache is null || Math.Min(change.Rows, change.Columns) < SmallestSide) return null;
        var basis = _cache.GetOrCompute(change.Name, change.Base);
        _outcomes[basis.Outcome] = _outcomes.GetValueOrDefault(basis.Outcome) + 1;
        _problem ??= basis.Problem;
        return basis;
    }

    /// <summary>Tells the user, once, when something was in the way.</summary>
    public void Tell(WorkProgress progress)
    {
        if (_problem is not null) progress.Say(_problem);
    }

    // As for the adjusted native library: MLNETLORA_CACHE, XDG_CACHE_HOME where it is absolute, the system's place otherwise.
    private static string? UserFolder()
    {
        if (Environment.GetEnvironmentVariable("MLNETLORA_CACHE") is { Length: > 0 } own) return Path.Join(own, "mlnetlora", "spectra");
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } shared && Path.IsPathFullyQualified(shared))
            return Path.Join(shared, "mlnetlora", "spectra");
        var root = OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home ? Path.Join(home, ".cache") : "";
        return root.Length > 0 ? Path.Join(root, "mlnetlora", "spectra") : null;
    }
}
