using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class ContentHasherTests
{
    [Fact]
    public void Finish_AnotherKeyTypeShapeByteOrSplit_IsDifferent()
    {
        using var folder = new TemporaryFolder();
        var config = EncoderConfig.FromFile(TinyModel.WriteConfig(folder.FullName));
        TinyModel.WriteTokenizer(folder.FullName);
        var tokenizer = TextTokenizer.FromFolder(folder.FullName);
        (string, StoredTensor, byte[])[][] contents =
        [
            [],
            [("x", new StoredTensor(ScalarType.Byte, [4]), [1, 2, 3, 4])],
            [("y", new StoredTensor(ScalarType.Byte, [4]), [1, 2, 3, 4])],
            [("x", new StoredTensor(ScalarType.Int8, [4]), [1, 2, 3, 4])],
            [("x", new StoredTensor(ScalarType.Byte, [2, 2]), [1, 2, 3, 4])],
            [("x", new StoredTensor(ScalarType.Byte, [4]), [1, 2, 3, 5])],
            [("x", new StoredTensor(ScalarType.Byte, [3]), [1, 2, 3]), ("y", new StoredTensor(ScalarType.Byte, [1]), [4])],
        ];

        var hashes = contents.Select(content =>
        {
            using var hasher = new ContentHasher(config, tokenizer);
            foreach (var (key, entry, bytes) in content)
            {
                hasher.AppendEntry(key, entry);
                hasher.AppendBytes(bytes);
            }
            return hasher.Finish();
        }).ToList();

        Assert.Equal(hashes.Count, hashes.Distinct().Count());
    }
}
