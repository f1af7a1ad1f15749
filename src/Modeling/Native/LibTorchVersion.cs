using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MLNetLoRA.Modeling;

/// <summary>The version of a libtorch, read from the files that lie with it; nothing of it is run.</summary>
/// <remarks>
/// Where each kind of install tells its version, in the order asked: a Python install in torch/version.py; a downloaded libtorch in
/// build-version; all that bring headers (conda's and Debian's too) in include/torch/headeronly/version.h or
/// include/torch/csrc/api/include/torch/version.h; CMake's share/cmake/Torch/TorchConfigVersion.cmake; a NuGet package in its nuspec;
/// a system package in the name that libtorch_cpu.so links to; a bare copy of the libraries as the only zero-terminated text of the
/// form 1.2.3 in libtorch_python, whose ONNX exporter names it.
/// </remarks>
/// <param name="Major">2 of 2.10.0.</param>
/// <param name="Minor">10 of 2.10.0.</param>
/// <param name="Text">All of it, such as 2.10.0+cu128.</param>
/// <param name="Source">The file that says so.</param>
internal sealed partial record LibTorchVersion(int Major, int Minor, string Text, string Source)
{
    /// <summary>What TorchSharp's native library is compiled against.</summary>
    public const int WantedMajor = 2, WantedMinor = 10;

    private const int MaxTextBytes = 1 << 20, MaxLibraryBytes = 1 << 30, BlockBytes = 1 << 20, MaxVersionBytes = 64;

    /// <summary>Whether TorchSharp's native library is compiled against this version.</summary>
    public bool IsWanted => (Major, Minor) == (WantedMajor, WantedMinor);

    /// <summary>The version of the libtorch in a folder; null where no file tells it.</summary>
    /// <param name="folder">Full path of the folder with the libraries.</param>
    /// <param name="platform">Whose names the libraries have.</param>
    public static LibTorchVersion? Read(string folder, TorchPlatform platform)
    {
        foreach (var (path, pattern) in Sources(folder))
            if (ReadText(path) is { } text && Match(pattern, text, path) is { } version) return version;
        return OfLinkName(Path.Join(folder, platform.FileName(LibTorchFolder.MainLibrary)))
            ?? OfLibrary(Path.Join(folder, platform.FileName("torch_python")));
    }

    private static IEnumerable<(string Path, Regex Pattern)> Sources(string folder)
    {
        var parent = Path.GetDirectoryName(folder) ?? folder;
        yield return (Path.Join(parent, "version.py"), PythonVersion());
        yield return (Path.Join(parent, "build-version"), WholeText());
        // A system's libraries may lie one folder deeper than its headers suppose: /usr/lib/x86_64-linux-gnu and /usr/include.
        foreach (var root in (string[])[parent, Path.GetDirectoryName(parent) ?? parent])
        {
            yield return (Path.Join(root, "include", "torch", "headeronly", "version.h"), HeaderVersion());
            yield return (Path.Join(root, "include", "torch", "csrc", "api", "include", "torch", "version.h"), HeaderVersion());
        }
        yield return (Path.Join(parent, "share", "cmake", "Torch", "TorchConfigVersion.cmake"), CMakeVersion());
        foreach (var manifest in PackageManifests(folder)) yield return (manifest, PackageVersion());
    }

    // PACKAGE/VERSION/runtimes/RID/native
    private static IEnumerable<string> PackageManifests(string folder)
    {
        var package = Path.GetFullPath(Path.Join(folder, "..", "..", ".."));
        return Path.GetFileName(folder) == "native" && Directory.Exists(package)
            ? Directory.EnumerateFiles(package, "libtorch-*.nuspec").Order(StringComparer.Ordinal)
            : [];
    }

    private static string? ReadText(string path)
    {
        try
        {
            var file = new FileInfo(path);
            return file.Exists && file.Length <= MaxTextBytes ? File.ReadAllText(path) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;    // another source may tell it
        }
    }

    private static LibTorchVersion? OfLinkName(string library)
    {
        try
        {
            var target = File.ResolveLinkTarget(library, returnFinalTarget: true)?.FullName ?? library;
            return Match(NameVersion(), Path.GetFileName(target), target);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static LibTorchVersion? OfLibrary(string library)
    {
        try
        {
            var file = new FileInfo(library);
            if (!file.Exists || file.Length > MaxLibraryBytes) return null;
            var found = Texts(library).Distinct().Take(2).ToList();
            return found is [var only] ? Match(WholeText(), only, library) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Blocks overlap by the longest version, so that none is lost between two of them.
    private static IEnumerable<string> Texts(string library)
    {
        using var stream = File.OpenRead(library);
        var block = new byte[BlockBytes + MaxVersionBytes];
        for (int kept = 0, read; (read = stream.ReadAtLeast(block.AsSpan(kept), block.Length - kept, throwOnEndOfStream: false)) > 0;)
        {
            var length = kept + read;
            foreach (Match match in EmbeddedVersion().Matches(Encoding.Latin1.GetString(block, 0, length))) yield return match.Groups[1].Value;
            kept = Math.Min(MaxVersionBytes, length);
            Array.Copy(block, length - kept, block, 0, kept);
        }
    }

    private static LibTorchVersion? Match(Regex pattern, string text, string source)
    {
        var match = pattern.Match(text);
        if (!match.Success) return null;
        var isWhole = int.TryParse(match.Groups["major"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            & int.TryParse(match.Groups["minor"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var minor);
        return isWhole ? new(major, minor, match.Groups["all"] is { Success: true } all ? all.Value : $"{major}.{minor}", source) : null;
    }

    private const string Version = @"(?<all>(?<major>\d{1,4})\.(?<minor>\d{1,4})(\.[0-9A-Za-z.+_-]{1,40})?)";

    [GeneratedRegex(@"^__version__\s*(?::\s*\w+\s*)?=\s*['""]" + Version + @"['""]", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex PythonVersion();

    [GeneratedRegex(@"\A\s*" + Version + @"\s*\z", RegexOptions.ExplicitCapture)]
    private static partial Regex WholeText();

    [GeneratedRegex(
        @"^\s*#\s*define\s+TORCH_VERSION_MAJOR\s+(?<major>\d{1,4})\s*$[\s\S]{0,2000}^\s*#\s*define\s+TORCH_VERSION_MINOR\s+(?<minor>\d{1,4})\s*$",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex HeaderVersion();

    [GeneratedRegex(@"^\s*set\(\s*PACKAGE_VERSION\s+""?" + Version + @"""?\s*\)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex CMakeVersion();

    [GeneratedRegex("<version>" + Version + "</version>", RegexOptions.ExplicitCapture)]
    private static partial Regex PackageVersion();

    [GeneratedRegex(@"\.so\." + Version + @"\z", RegexOptions.ExplicitCapture)]
    private static partial Regex NameVersion();

    [GeneratedRegex(@"(?<=\0)(\d{1,2}\.\d{1,3}\.\d{1,3}(?:[a-z]{1,3}\d{1,3})?(?:\+[0-9A-Za-z.]{1,24})?)(?=\0)")]
    private static partial Regex EmbeddedVersion();
}
