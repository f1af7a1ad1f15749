using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>The nearest matrix of a given rank in Frobenius norm: the leading singular triples, by the theorem of Eckart and Young.</summary>
internal static class RankTruncation
{
    /// <summary>The thin singular value decomposition of B A, without that matrix.</summary>
    /// <param name="a">(rank, columns).</param>
    /// <param name="b">(rows, rank).</param>
    public static (Tensor U, Tensor S, Tensor Vh) Decompose(Tensor a, Tensor b)
    {
        // B A = Q_B (R_B R_Aᵀ) Q_Aᵀ: the decomposition of the small core is that of the product.
        var (left, leftCore) = linalg.qr(b);
        var (right, rightCore) = linalg.qr(a.t());
        var (u, s, vh) = linalg.svd(leftCore.matmul(rightCore.t()), fullMatrices: false);
        return (left.matmul(u), s, vh.matmul(right.t()));
    }

    /// <summary>The leading triples as float32 factors, singular values shared evenly between both.</summary>
    /// <param name="decomposed">The decomposition of a matrix.</param>
    /// <param name="rank">1 or more; a matrix of lower rank keeps its own.</param>
    /// <param name="scale">The factor in front of that matrix.</param>
    public static TruncatedFactors Cut((Tensor U, Tensor S, Tensor Vh) decomposed, int rank, double scale)
    {
        var (u, s, vh) = decomposed;
        var kept = Math.Min(rank, s.shape[0]);
        var root = s.narrow(0, 0, kept).sqrt();
        var size = Math.Abs(scale);
        var (norm, error) = (s.norm().ToDouble() * size, kept == s.shape[0] ? 0 : s.narrow(0, kept, s.shape[0] - kept).norm().ToDouble() * size);
        var factors = new LowRankFactors(Rounded(root.unsqueeze(1) * vh.narrow(0, 0, kept)), Rounded(u.narrow(1, 0, kept) * root), scale);
        return new TruncatedFactors(factors, error, norm == 0 ? 0 : error / norm);
    }

    private static Tensor Rounded(Tensor tensor) => tensor.to(ScalarType.Float32, copy: true).contiguous();
}
