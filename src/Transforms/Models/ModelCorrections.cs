using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>What a repair changes in one fine-tuned model's matrices. Owns its tensors.</summary>
/// <remarks>All by checkpoint key of the matrix without ".weight"; all empty where nothing changes.</remarks>
/// <param name="modelFingerprint">Of the model that it was made for: <see cref="ModelFingerprint"/>.</param>
internal sealed class ModelCorrections(string modelFingerprint) : IDisposable
{
    /// <summary>Low-rank corrections beside the matrices.</summary>
    public IReadOnlyDictionary<string, LoraFactors> Factors { get; init; } = new Dictionary<string, LoraFactors>();

    /// <summary>What takes the place of A (rank, in) in the changes of a LoRA model.</summary>
    public IReadOnlyDictionary<string, Tensor> Downs { get; init; } = new Dictionary<string, Tensor>();

    /// <summary>What is added to the whole matrices (out, in) of a fully tuned model.</summary>
    public IReadOnlyDictionary<string, Tensor> Shifts { get; init; } = new Dictionary<string, Tensor>();

    public string ModelFingerprint => modelFingerprint;

    /// <summary>Whether the matrices and their own factors stay as they are.</summary>
    public bool AreBeside => Downs.Count + Shifts.Count == 0;

    public bool IsEmpty => Factors.Count + Downs.Count + Shifts.Count == 0;

    /// <summary>The classifier as the repair leaves it, over the same weights. The caller disposes it.</summary>
    /// <exception cref="InvalidDataException">The corrections are of other matrices than the classifier has.</exception>
    public TextClassifier Over(TextClassifier classifier)
    {
        if (Downs.Count > 0) return classifier.WithDownFactors(Downs);
        return Shifts.Count > 0 ? classifier.WithShifts(Shifts) : classifier.WithCorrections(Factors);
    }

    public void Dispose()
    {
        foreach (var pair in Factors.Values) pair.Dispose();
        foreach (var tensor in Downs.Values.Concat(Shifts.Values)) tensor.Dispose();
    }
}
