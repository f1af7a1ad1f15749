using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>SHA-256 over what makes two pretrained models the same: configuration, tokenizer, and the parameters in the order of their keys.</summary>
/// <remarks>Every text goes in with its length before it, so that no two contents give the same bytes.</remarks>
internal sealed class ContentHasher : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public ContentHasher(EncoderConfig config, TextTokenizer tokenizer)
    {
        AppendText(config.ToJson());
        AppendNumber(tokenizer.Files.Count);
        foreach (var file in tokenizer.Files.OrderBy(file => file.Name, StringComparer.Ordinal))
        {
            AppendText(file.Name);
            AppendNumber(file.Content.Length);
            _hash.AppendData(file.Content.Span);
        }
    }

    /// <summary>The order in which parameters are appended.</summary>
    public static IEnumerable<KeyValuePair<string, StoredTensor>> InOrder(BaseWeights weights) =>
        weights.Entries.OrderBy(entry => entry.Key, StringComparer.Ordinal);

    /// <summary>Announces one parameter; all its bytes follow, through <see cref="AppendBytes"/>.</summary>
    public void AppendEntry(string key, StoredTensor entry)
    {
        AppendText(key);
        AppendText(SafetensorsDataType.NameOf(entry.DataType));
        AppendNumber(entry.Shape.Length);
        foreach (var size in entry.Shape) AppendNumber(size);
    }

    public void AppendBytes(ReadOnlySpan<byte> stretch) => _hash.AppendData(stretch);

    /// <summary>The hash of everything appended, lower-case hexadecimal.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();

    private void AppendText(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        AppendNumber(bytes.Length);
        _hash.AppendData(bytes);
    }

    private void AppendNumber(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        _hash.AppendData(bytes);
    }
}
