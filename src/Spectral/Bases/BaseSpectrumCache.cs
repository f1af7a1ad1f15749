using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Singular bases of base matrices in a folder, so that the next change of the same base pays only the cheap part.</summary>
/// <remarks>
/// One file per matrix, named by the SHA-256 of its content: checkpoints share what they have in common, and a changed matrix is another
/// one. Files are written beside and renamed, and checked whole when read, so any number of threads and processes may use one folder; a
/// damaged file is replaced. When the files together exceed the limit, those used longest ago go first. A basis read from the disk equals
/// the one computed to the bit.
/// </remarks>
public sealed class BaseSpectrumCache
{
    /// <summary>The default of the size limit: 4 GB, a dozen encoders of 12 layers and width 768.</summary>
    public const long DefaultMaxBytes = 4L << 30;

    private const string Extension = ".spectrum";
    private const string Unfinished = ".tmp";
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly BasisPlan _plan;
    private readonly Func<string, Stream> _create;

    /// <summary>Opens a folder, which is created when it is missing.</summary>
    /// <param name="folder">Where the files go; for this cache alone.</param>
    /// <param name="maxBytes">
    /// Limit of all files together, 0 or more; the basis stored last stays even where it alone exceeds the limit.
    /// </param>
    /// <exception cref="ArgumentException">The folder has no name, or the limit is negative.</exception>
    /// <exception cref="IOException">The folder cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be created.</exception>
    public BaseSpectrumCache(string folder, long maxBytes = DefaultMaxBytes) : this(folder, maxBytes, BasisPlan.Default, CreateFile)
    {
    }

    internal BaseSpectrumCache(string folder, long maxBytes, BasisPlan plan, Func<string, Stream> create)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (maxBytes < 0) throw new ArgumentOutOfRangeException(nameof(maxBytes), maxBytes, "A size limit of 0 bytes or more was wanted.");
        Folder = Directory.CreateDirectory(folder).FullName;
        (MaxBytes, _plan, _create) = (maxBytes, plan, create);
    }

    /// <summary>The folder's full path.</summary>
    public string Folder { get; }

    /// <summary>Limit of all files together, in bytes.</summary>
    public long MaxBytes { get; }

    /// <summary>The basis of a base: read, or computed and stored.</summary>
    /// <param name="name">What messages call the matrix.</param>
    /// <param name="weight">W0 (rows, columns) in float64, float32, float16 or bfloat16; the basis goes to its device.</param>
    /// <returns>The caller disposes it. A cache that cannot be written is no error: the outcome says so.</returns>
    /// <exception cref="ArgumentException">It is no matrix of finite numbers.</exception>
    public CachedBaseSpectrum GetOrCompute(string name, Tensor weight)
    {
        WeightChange.CheckMatrix(name, "the base", weight);
        var key = WeightKey.Of(weight);
        var path = Path.Combine(Folder, Convert.ToHexStringLower(key) + Extension);
        var (found, fault) = TryRead(path, weight, key);
        if (found is not null) return new CachedBaseSpectrum(found, CacheOutcome.Found, null);

        var basis = BaseSpectrum.Compute(name, weight, _plan);
        if (TryWrite(path, basis, key) is { } problem) return new CachedBaseSpectrum(basis, CacheOutcome.NotStored, problem);
        return new CachedBaseSpectrum(basis, fault is null ? CacheOutcome.Computed : CacheOutcome.Rebuilt, fault);
    }

    private (BaseSpectrum? Basis, string? Fault) TryRead(string path, Tensor weight, byte[] key)
    {
        try
        {
            // Another process may replace or evict the file meanwhile.
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            var basis = BaseSpectrumFile.Read(stream, weight, key, _plan);
            MarkUsed(path);
            return (basis, null);
        }
        catch (FileNotFoundException)
        {
            return (null, null);
        }
        catch (EndOfStreamException)
        {
            return (null, $"{path}: it ends early; computed anew.");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return (null, $"{path}: {e.Message}; computed anew.");
        }
    }

    private string? TryWrite(string path, BaseSpectrum basis, byte[] key)
    {
        var beside = Path.Combine(Folder, $".{Guid.NewGuid():N}{Unfinished}");
        try
        {
            Directory.CreateDirectory(Folder);
            using (var stream = _create(beside))
            {
                BaseSpectrumFile.Write(stream, basis, key);
                Flush(stream);
            }
            File.Move(beside, path, overwrite: true);
            Evict(path);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{path}: the spectrum could not be stored: {e.Message}";
        }
        finally
        {
            Delete(beside);   // nothing to delete after the move
        }
    }

    // The file's own time of writing tells when it was used last: times of access are often not kept.
    private static void MarkUsed(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Evicted meanwhile, or a folder that is only read: what was read stays good.
        }
    }

    private void Evict(string newest)
    {
        var folder = new DirectoryInfo(Folder);
        var unfinished = folder.GetFiles($".*{Unfinished}");
        foreach (var left in unfinished.Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > Abandoned)) Delete(left.FullName);
        var files = folder.GetFiles($"*{Extension}").OrderBy(file => file.LastWriteTimeUtc).ToList();
        var total = files.Sum(Length);
        foreach (var file in files.Where(file => file.FullName != newest))
        {
            if (total <= MaxBytes) return;
            total -= Length(file);
            Delete(file.FullName);
        }
    }

    // Another process may have evicted it since the folder was listed.
    private static long Length(FileInfo file) => file.Exists ? file.Length : 0;

    private static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In use elsewhere; the next one to store something tries again.
        }
    }

    private static FileStream CreateFile(string path) => new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);

    private static void Flush(Stream stream)
    {
        if (stream is FileStream file) file.Flush(flushToDisk: true);
        else stream.Flush();
    }
}
