using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A low-rank matrix in PEFT's form: scale · B A.</summary>
/// <remarks>Owns both tensors.</remarks>
public sealed class LowRankFactors : IDisposable
{
    /// <summary>Takes ownership of both tensors.</summary>
    /// <param name="a">A (rank, columns).</param>
    /// <param name="b">B (rows, rank).</param>
    /// <param name="scale">The factor in front of BA; alpha / rank in PEFT.</param>
    internal LowRankFactors(Tensor a, Tensor b, double scale) =>
        (A, B, Scale) = (a.DetachFromDisposeScope(), b.DetachFromDisposeScope(), scale);

    /// <summary>A (rank, columns): what reads the input.</summary>
    public Tensor A { get; }

    /// <summary>B (rows, rank): what writes the output.</summary>
    public Tensor B { get; }

    /// <summary>The factor in front of BA.</summary>
    public double Scale { get; }

    /// <summary>The inner dimension of A and B.</summary>
    public int Rank => (int)A.shape[0];

    /// <summary>scale · B A as one float64 matrix (rows, columns); the caller disposes it.</summary>
    public Tensor ToDense()
    {
        using var scope = NewDisposeScope();
        return B.to(ScalarType.Float64).matmul(A.to(ScalarType.Float64)).mul(Scale).MoveToOuterDisposeScope();
    }

    /// <summary>Frees both tensors.</summary>
    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
    }
}
