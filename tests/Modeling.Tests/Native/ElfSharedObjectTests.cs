using System.Buffers.Binary;

namespace MLNetLoRA.Modeling.Tests.Native;

public class ElfSharedObjectTests
{
    private const string StdCxx = "libstdc++.so.6";
    private const ushort X64 = 62, Arm64 = 183;

    [Theory]
    [InlineData(X64)]
    [InlineData(Arm64)]
    public void Parse_SyntheticLibrary_ReadsNeedsAndDefinitions(ushort machine)
    {
        var library = ElfSharedObject.Parse(new SyntheticElf(machine)
            .Need(StdCxx, "GLIBCXX_3.4", "GLIBCXX_3.4.32").Define("libme.so.1", "ME_1", "ME_2").Build());

        Assert.Equal([StdCxx], library.Needed);
        Assert.Equal("libme.so.1", library.SoName);
        Assert.Equal(["GLIBCXX_3.4", "GLIBCXX_3.4.32"], library.VersionNeeds.Select(need => need.Version));
        Assert.All(library.VersionNeeds, need => Assert.Equal(StdCxx, need.Library));
        Assert.Equal(["ME_1", "ME_2"], library.VersionDefinitions.Order());
    }

    [Fact]
    public void RelocatedVersions_OneSymbolBound_NamesItsVersionOnly()
    {
        var library = ElfSharedObject.Parse(new SyntheticElf().Need(StdCxx, "A_1", "A_2").Relocate(3).Build());
        Assert.Equal(3, Assert.Single(library.RelocatedVersions()));
    }

    [Fact]
    public void Weaken_OneNeed_SetsOneBitAndASecondTimeNothing()
    {
        var image = new SyntheticElf().Need(StdCxx, "A_1", "A_2").Build();
        var before = image.ToArray();
        var need = ElfSharedObject.Parse(image).VersionNeeds[1];
        Assert.False(need.IsWeak(image));

        need.Weaken(image);
        var once = image.ToArray();
        need.Weaken(image);

        Assert.True(need.IsWeak(image));
        Assert.Equal(once, image);
        var changed = Assert.Single(Enumerable.Range(0, image.Length), i => image[i] != before[i]);
        Assert.Equal(2, image[changed] ^ before[changed]);
        Assert.False(ElfSharedObject.Parse(image).VersionNeeds[0].IsWeak(image));
    }

    [Fact]
    public void Parse_EveryTruncation_IsReadOrRejectedAsInvalidData()
    {
        var image = new SyntheticElf().Need(StdCxx, "A_1").Relocate(2).Define("libme.so", "ME_1").Build();
        for (var length = 0; length < image.Length; length++) Assert.Throws<InvalidDataException>(() => ReadAll(image[..length]));
    }

    [Fact]
    public void Parse_AnyByteDamaged_ThrowsNothingButInvalidData()
    {
        var image = new SyntheticElf().Need(StdCxx, "A_1", "A_2").Relocate(2).Define("libme.so", "ME_1", "ME_2").Build();
        for (var i = 0; i < SyntheticElf.Names; i++)
            foreach (byte value in (byte[])[0x00, 0x01, 0x7f, 0xff])
            {
                var damaged = image.ToArray();
                damaged[i] = value;
                ReadOrReject(damaged);
            }
    }

    [Fact]
    public void Parse_RandomBytesBehindAGoodHeader_ThrowsNothingButInvalidData()
    {
        var random = new Random(1);
        var good = new SyntheticElf().Need(StdCxx, "A_1").Build();
        for (var run = 0; run < 2000; run++)
        {
            var image = good.ToArray();
            random.NextBytes(image.AsSpan(random.Next(64, SyntheticElf.Names)));
            ReadOrReject(image);
        }
    }

    [Theory]
    [InlineData(0, "ELF mark")]
    [InlineData(4, "64-bit")]
    [InlineData(5, "little-endian")]
    [InlineData(16, "shared object")]
    public void Parse_OtherKindOfFile_SaysWhatItIsNot(int offset, string said)
    {
        var image = new SyntheticElf().Build();
        image[offset] = 9;
        Assert.Contains(said, Assert.Throws<InvalidDataException>(() => ElfSharedObject.Parse(image)).Message);
    }

    [Theory]
    [InlineData(SyntheticElf.Needs + 4)]    // name of the library
    [InlineData(SyntheticElf.Needs + 8)]    // first version of the library
    [InlineData(SyntheticElf.Needs + 24)]   // name of that version
    [InlineData(40 + 64 - 8)]               // size of the loaded segment
    [InlineData(SyntheticElf.Definitions + 12)]
    public void Parse_OffsetOutOfRange_IsInvalidData(int offset)
    {
        var image = new SyntheticElf().Need(StdCxx, "A_1").Define("libme.so", "ME_1").Build();
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), 0xffff_fff0);
        Assert.Throws<InvalidDataException>(() => ElfSharedObject.Parse(image));
    }

    [Fact]
    public void RelocatedVersions_TableLargerThanTheFile_IsInvalidData()
    {
        var image = new SyntheticElf().Relocate(2).Build();
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(SyntheticElf.DynamicSection + 40), 1UL << 40);
        Assert.Throws<InvalidDataException>(() => ElfSharedObject.Parse(image).RelocatedVersions());
    }

    [Fact]
    public void Parse_ShippedTorchLibrary_NamesTheNewestVersionWithoutBindingIt()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The Linux library of TorchSharp is only beside the tests on Linux.");
        var path = NativeSearchPath.Find(NativeSearchPath.Of(typeof(TorchSharp.DeviceType).Assembly), "libLibTorchSharp.so");
        var library = ElfSharedObject.Parse(File.ReadAllBytes(path!));

        Assert.Equal("libLibTorchSharp.so", library.SoName);
        Assert.Contains("libtorch_cpu.so", library.Needed);
        var newest = Assert.Single(library.VersionNeeds, need => need.Version == "GLIBCXX_3.4.32");
        Assert.DoesNotContain(newest.Index, library.RelocatedVersions());
        var oldest = Assert.Single(library.VersionNeeds, need => need.Version == "GLIBCXX_3.4");
        Assert.Contains(oldest.Index, library.RelocatedVersions());
    }

    private static void ReadOrReject(byte[] image)
    {
        try
        {
            ReadAll(image);
        }
        catch (InvalidDataException)
        {
            // The one way to say no.
        }
    }

    private static void ReadAll(byte[] image)
    {
        var library = ElfSharedObject.Parse(image);
        library.RelocatedVersions();
        foreach (var need in library.VersionNeeds) need.Weaken(image);
    }
}
