using MLNetLoRA.Modeling;

namespace MLNetLoRA.Transforms;

/// <summary>Low-rank corrections of one fine-tuned model's matrices. Owns their tensors.</summary>
/// <param name="factors">By checkpoint key of the matrix without ".weight"; empty where nothing changes.</param>
/// <param name="modelFingerprint">Of the model that they were made for: <see cref="ModelFingerprint"/>.</param>
internal sealed class ModelCorrections(IReadOnlyDictionary<string, LoraFactors> factors, string modelFingerprint) : IDisposable
{
    public IReadOnlyDictionary<string, LoraFactors> Factors => factors;

    public string ModelFingerprint => modelFingerprint;

    public void Dispose()
    {
        foreach (var pair in factors.Values) pair.Dispose();
    }
}
