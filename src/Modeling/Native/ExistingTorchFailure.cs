namespace MLNetLoRA.Modeling;

/// <summary>What to tell a user whose own libtorch cannot be used: what was found, what is wanted, what to do.</summary>
internal static class ExistingTorchFailure
{
    private static readonly string Wanted = $"{LibTorchVersion.WantedMajor}.{LibTorchVersion.WantedMinor}";

    private static readonly string Unset = $"or unset {ExistingTorch.FolderVariable} to use the application's own libtorch";

    /// <summary>The variable names no usable folder.</summary>
    public static DllNotFoundException Folder(string named, string found) => Failure(
        named, found, $"Name a folder with libtorch {Wanted} for this system, such as site-packages/torch/lib of a Python install, {Unset}.");

    /// <summary>Nothing tells which version it is.</summary>
    public static DllNotFoundException UnknownVersion(string folder) => Failure(
        folder, "its version cannot be read (no torch/version.py, build-version, include/torch/**/version.h, TorchConfigVersion.cmake, nuspec or "
            + "libtorch_python that tells it)",
        $"TorchSharp wants {Wanted}. Name a complete install, set {ExistingTorch.MismatchVariable}=1 to use it if a self-test passes, {Unset}.");

    /// <summary>Another version than TorchSharp is compiled against.</summary>
    public static DllNotFoundException OtherVersion(string folder, LibTorchVersion found) => Failure(
        folder, $"it is version {found.Text} ({found.Source}), TorchSharp wants {Wanted}",
        $"Install PyTorch {Wanted}, set {ExistingTorch.MismatchVariable}=1 to use this one if a self-test passes, {Unset}.");

    /// <summary>The self-test ended badly, or could not be run.</summary>
    public static DllNotFoundException SelfTest(string folder, LibTorchVersion? found, string reason) => Failure(
        folder, $"it is {(found is null ? "of unknown version" : $"version {found.Text}")}, TorchSharp wants {Wanted}, and the self-test did not pass: {reason}",
        $"Install PyTorch {Wanted}, {Unset}.");

    /// <summary>It would be the second libtorch of this process.</summary>
    public static DllNotFoundException TooLate(string folder, string loaded) => Failure(
        folder, $"another libtorch is loaded already ({loaded}), and a process can have one only",
        "Call MLNetLoRA.Modeling.TorchNativeLibrary.Ensure() before anything touches TorchSharp.");

    /// <summary>TorchSharp would load the application's own libtorch beside it.</summary>
    public static DllNotFoundException PackagedBeside(string folder, string packaged) => Failure(
        folder, $"TorchSharp would load {packaged} beside it, and a process can have one libtorch only",
        $"Remove that file and its libtorch package from the application, {Unset}.");

    /// <summary>Something of it, or TorchSharp's library on top of it, does not load.</summary>
    public static DllNotFoundException Load(string folder, Exception reason) => Failure(
        folder, LoaderWords.Of(reason).TrimEnd('.'), $"Name a complete libtorch {Wanted}, {Unset}.", reason);

    private static DllNotFoundException Failure(string folder, string found, string remedy, Exception? reason = null) =>
        new($"MLNetLoRA: the libtorch in '{folder}', from {ExistingTorch.FolderVariable}, cannot be used: {found}. {remedy}", reason);
}
