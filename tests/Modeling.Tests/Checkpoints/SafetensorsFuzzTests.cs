using System.Text;
using TorchSharp;

namespace MLNetLoRA.Modeling.Tests;

/// <summary>Damaged files, many of them: opening and reading gives tensors or InvalidDataException, nothing else.</summary>
public class SafetensorsFuzzTests
{
    private static readonly byte[] Valid = SafetensorsBytes.Of(
        """{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BOOL","shape":[4],"data_offsets":[24,28]},"c":{"dtype":"BF16","shape":[],"data_offsets":[28,30]}}""",
        [.. new byte[24], 0, 1, 1, 0, 0x80, 0x3F]);

    // Pieces that damage structure more often than single bytes do.
    private static readonly string[] Pieces =
        ["\"", "{", "}", "[", "]", ",", ":", "-1", "0", "9223372036854775807", "18446744073709551616", "1e5", "null", "\\ud800", "\"dtype\":", "\"U8\"", "\0", "ÿ"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void OpenAndRead_DamagedFile_ThrowsNothingButInvalidData(int seed)
    {
        var random = new Random(seed);
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var refused = 0;
        for (var round = 0; round < 3000; round++)
        {
            var bytes = Damage(random);
            try
            {
                using var file = SafetensorsBytes.Open(bytes);
                foreach (var name in file.Entries.Keys) file.Read(name).Dispose();
            }
            catch (InvalidDataException e)
            {
                refused++;
                Assert.StartsWith("hand.safetensors: ", e.Message, StringComparison.Ordinal);
                Assert.True(e.Message.Length < 2000, e.Message);
            }
        }

        // Both sides must be reached, or the loop proves nothing.
        Assert.InRange(refused, 1500, 2999);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static byte[] Damage(Random random)
    {
        var bytes = Valid.ToList();
        for (var count = random.Next(1, 4); count > 0; count--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, random.Next(1, Math.Min(9, bytes.Count - at + 1))); break;
                case 3: Replace(bytes, at, Pieces[random.Next(Pieces.Length)]); break;
                default: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 30), bytes.Count - at))); break;
            }
            if (bytes.Count == 0) break;
        }
        return [.. bytes];
    }

    private static void Replace(List<byte> bytes, int at, string piece)
    {
        var replacement = Encoding.UTF8.GetBytes(piece);
        bytes.RemoveRange(at, Math.Min(replacement.Length, bytes.Count - at));
        bytes.InsertRange(at, replacement);
    }
}
