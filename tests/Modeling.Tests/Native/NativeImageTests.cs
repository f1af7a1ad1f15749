using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MLNetLoRA.Modeling.Tests.Native;

public class NativeImageTests
{
    [Theory]
    [InlineData(62, Architecture.X64)]
    [InlineData(183, Architecture.Arm64)]
    public void Of_Elf_IsLinuxOnItsProcessor(ushort machine, Architecture processor) =>
        Assert.Equal(new NativeImage(TorchPlatform.Linux, processor), NativeImage.Of(new SyntheticElf(machine).Build()));

    [Theory]
    [InlineData(0x8664, Architecture.X64)]
    [InlineData(0xaa64, Architecture.Arm64)]
    public void Of_Pe_IsWindowsOnItsProcessor(ushort machine, Architecture processor) =>
        Assert.Equal(new NativeImage(TorchPlatform.Windows, processor), NativeImage.Of(Pe(machine, at: 0x80)));

    [Theory]
    [InlineData(0x0100_0007u, Architecture.X64)]
    [InlineData(0x0100_000cu, Architecture.Arm64)]
    public void Of_Mach_IsMacOSOnItsProcessor(uint machine, Architecture processor) =>
        Assert.Equal(new NativeImage(TorchPlatform.MacOS, processor), NativeImage.Of(Mach(0xfeedfacf, machine)));

    [Fact]
    public void Of_MachOfSeveralProcessors_LeavesTheProcessorOpen() =>
        Assert.Equal(new NativeImage(TorchPlatform.MacOS, null), NativeImage.Of(Mach(0xbebafeca, 0)));

    [Fact]
    public void Of_UnknownProcessor_SaysSo() => Assert.Equal("Linux on another processor", NativeImage.Of(new SyntheticElf(8).Build()).ToString());

    [Theory]
    [InlineData(0xffff_fff0u)]
    [InlineData(0xfbu)]
    [InlineData(0x40u)]
    public void Of_PeOffsetOutsideOrElsewhere_IsNoLibrary(uint offset)
    {
        var head = Pe(0x8664, at: 0x80);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(0x3c), offset);
        Assert.Null(NativeImage.Of(head));
    }

    [Fact]
    public void Of_TextOrNothing_IsNoLibrary()
    {
        Assert.Null(NativeImage.Of("#!/bin/sh and more than twenty bytes"u8));
        Assert.Null(NativeImage.Of([]));
    }

    private static byte[] Pe(ushort machine, int at)
    {
        var head = new byte[256];
        "MZ"u8.CopyTo(head);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(0x3c), at);
        "PE\0\0"u8.CopyTo(head.AsSpan(at));
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(at + 4), machine);
        return head;
    }

    private static byte[] Mach(uint magic, uint processor)
    {
        var head = new byte[32];
        BinaryPrimitives.WriteUInt32LittleEndian(head, magic);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), processor);
        return head;
    }
}
