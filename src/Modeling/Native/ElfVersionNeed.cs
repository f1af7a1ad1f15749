namespace MLNetLoRA.Modeling;

/// <summary>One symbol version that a library asks of another, such as GLIBCXX_3.4.32 of libstdc++.so.6.</summary>
/// <param name="Library">File name of the library that must define the version.</param>
/// <param name="Version">Name of the version.</param>
/// <param name="Index">The number by which the library's own symbols refer to the version.</param>
/// <param name="FlagsOffset">Where in the file the two bytes of flags stand.</param>
internal readonly record struct ElfVersionNeed(string Library, string Version, ushort Index, int FlagsOffset)
{
    private const byte Weak = 2;   // VER_FLG_WEAK, in the low byte

    /// <summary>True where the loader only warns when the version is missing.</summary>
    public bool IsWeak(ReadOnlySpan<byte> image) => (image[FlagsOffset] & Weak) != 0;

    /// <summary>Lets the library load where the version is missing; a second call changes nothing.</summary>
    /// <param name="image">The bytes of the file this need was read from.</param>
    public void Weaken(Span<byte> image) => image[FlagsOffset] |= Weak;
}
