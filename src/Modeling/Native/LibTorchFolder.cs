using System.Runtime.InteropServices;

namespace MLNetLoRA.Modeling;

/// <summary>Finds the folder with libtorch's libraries in what a user named.</summary>
internal static class LibTorchFolder
{
    /// <summary>The library that every libtorch has; the others lie beside it.</summary>
    public const string MainLibrary = "torch_cpu";

    // Of a libtorch folder, of Python's site-packages, and of the folder into which libtorch was unpacked.
    private static readonly string[] Below = ["", "lib", Path.Join("torch", "lib"), Path.Join("libtorch", "lib")];

    /// <summary>The full path of the folder that holds the libraries.</summary>
    /// <param name="named">A folder with the libraries, a libtorch folder, Python's site-packages or torch folder, or the folder above libtorch.</param>
    /// <param name="platform">The system this process runs on.</param>
    /// <param name="processor">The processor this process runs on.</param>
    /// <exception cref="DllNotFoundException">No such folder, no libtorch in it, or one for another system or processor.</exception>
    public static string Find(string named, TorchPlatform platform, Architecture processor)
    {
        var root = Path.GetFullPath(named);
        if (!Directory.Exists(root))
            throw ExistingTorchFailure.Folder(named, File.Exists(root) ? "it is a file" : "there is no such folder");

        var wanted = platform.FileName(MainLibrary);
        var folders = Below.Select(below => Path.TrimEndingDirectorySeparator(Path.Join(root, below))).ToList();
        if (folders.Find(folder => File.Exists(Path.Join(folder, wanted))) is not { } found)
            throw ExistingTorchFailure.Folder(named, Absence(folders, wanted));

        CheckImage(named, Path.Join(found, wanted), platform, processor);
        return found;
    }

    private static string Absence(List<string> folders, string wanted)
    {
        foreach (var other in TorchPlatform.All)
            if (folders.Exists(folder => File.Exists(Path.Join(folder, other.FileName(MainLibrary)))))
                return $"it holds {other.FileName(MainLibrary)}, a libtorch for {other.Name}, and no {wanted}";
        return $"neither it nor {string.Join(", ", Below[1..])} in it holds {wanted}";
    }

    private static void CheckImage(string named, string path, TorchPlatform platform, Architecture processor)
    {
        NativeImage? image;
        try
        {
            image = NativeImage.Read(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw ExistingTorchFailure.Folder(named, $"{path} cannot be read ({exception.Message.TrimEnd('.')})");
        }
        if (image is not { } built) throw ExistingTorchFailure.Folder(named, $"{path} is not a native library");
        var isUniversal = built.Platform == TorchPlatform.MacOS && built.Processor is null;
        if (built.Platform != platform || (built.Processor != processor && !isUniversal))
            throw ExistingTorchFailure.Folder(
                named, $"{path} is built for {built}, this process is {new NativeImage(platform, processor)}");
    }
}
