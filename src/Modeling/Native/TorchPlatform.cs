namespace MLNetLoRA.Modeling;

/// <summary>An operating system for which libtorch is built, and how its libraries are called there.</summary>
/// <param name="Name">As errors name it.</param>
/// <param name="Prefix">What stands before a library's name.</param>
/// <param name="Suffix">What stands behind it.</param>
internal sealed record TorchPlatform(string Name, string Prefix, string Suffix)
{
    public static readonly TorchPlatform Linux = new("Linux", "lib", ".so");
    public static readonly TorchPlatform Windows = new("Windows", "", ".dll");
    public static readonly TorchPlatform MacOS = new("macOS", "lib", ".dylib");

    public static IReadOnlyList<TorchPlatform> All { get; } = [Linux, Windows, MacOS];

    /// <summary>The system this process runs on.</summary>
    public static TorchPlatform Current { get; } =
        OperatingSystem.IsWindows() ? Windows : OperatingSystem.IsMacOS() ? MacOS : Linux;

    /// <summary>File name of a library, such as libtorch_cpu.so for torch_cpu.</summary>
    public string FileName(string library) => Prefix + library + Suffix;
}
