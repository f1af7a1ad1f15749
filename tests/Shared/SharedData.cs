namespace MLNetLoRA.Testing;

/// <summary>Parity fixtures and public data sets that live beside the repository, never inside it.</summary>
internal static class SharedData
{
    private static readonly string? Root = Find();

    /// <summary>The full path of a fixture; the calling test is skipped, with the reason, where the folder is absent.</summary>
    public static string Path(params string[] parts)
    {
        Assert.SkipWhen(Root is null, "The development data folder (shared/data beside the repository, or MLNETLORA_SHARED_DATA) is absent.");
        return System.IO.Path.Combine([Root!, .. parts]);
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("MLNETLORA_SHARED_DATA") is { Length: > 0 } named)
            return Directory.Exists(named) ? named : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = System.IO.Path.Combine(folder.FullName, "shared", "data");
            if (Directory.Exists(candidate)) return candidate;
        }
        return null;
    }
}
