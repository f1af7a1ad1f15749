using System.Security.Cryptography;
using System.Text;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>Tells one fine-tuned model from another, so that corrections made for one never run beside another.</summary>
/// <remarks>SHA-256 over the base's content hash, the classification head, which every training makes anew, and the repairs so far.</remarks>
internal static class ModelFingerprint
{
    public static string Of(TextClassifier classifier)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var model = classifier.Description.Base;
        hash.AppendData(Encoding.UTF8.GetBytes(model.ContentHash));
        var head = classifier.Tuned.Where(weight => SequenceClassifier.IsHeadKey(weight.Key, model.Config));
        foreach (var (key, tensor) in head.OrderBy(weight => weight.Key, StringComparer.Ordinal)) Append(hash, key, tensor);
        foreach (var (name, factors) in classifier.Corrections.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            Append(hash, $"{name}.A", factors.A);
            Append(hash, $"{name}.B", factors.B);
        }
        foreach (var key in classifier.RepairedKeys) Append(hash, key, classifier.Tuned[key]);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string key, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        hash.AppendData(Encoding.UTF8.GetBytes($"{key} {string.Join(' ', tensor.shape)}\n"));
        hash.AppendData(tensor.detach().cpu().contiguous().bytes);
    }
}
