using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Counts eigenvalues of Λ + H fᵀ + f Hᵀ + f C fᵀ (Λ diagonal) above a threshold, without computing any.</summary>
/// <remarks>
/// With G = [f, H] and K = [[C, I], [I, 0]] the matrix is Λ + G K Gᵀ. By Sylvester's law and Haynsworth's formula, applied to the two Schur
/// complements of [[Λ − t, G], [Gᵀ, −K⁻¹]], it has as many eigenvalues above t as Λ has, plus the positive eigenvalues of
/// −K⁻¹ − Gᵀ(Λ − t)⁻¹G, minus the r positive ones of −K⁻¹ = −[[0, I], [I, −C]].
/// </remarks>
internal sealed class EigenvalueCount(Tensor diagonal, Tensor near, Tensor image, Tensor farGram)
{
    private const double SmallestSize = 1e-300;

    /// <summary>How many eigenvalues lie above a threshold between two given values, chosen where it is best conditioned.</summary>
    /// <param name="low">A value below which the threshold must not be.</param>
    /// <param name="high">A larger value, above which it must not be.</param>
    public int Above(double low, double high)
    {
        using var scope = NewDisposeScope();
        var values = diagonal.ToDoubles();
        var threshold = FarFromAll(values, low, high);
        var g = cat([near, image], 1);
        var distance = diagonal - threshold;
        var schur = g.t().matmul(g / distance).add_(Inverse()).neg_();
        // F and E may be of very different size; scaling rows and columns alike changes no sign and keeps small ones from drowning.
        var size = schur.norm(1, keepdim: true, p: 2f).clamp_min_(SmallestSize).sqrt_();
        var positive = linalg.eigvalsh(schur / size / size.t()).ToDoubles().Count(value => value > 0);
        return values.Count(value => value > threshold) + positive - (int)near.shape[1];
    }

    // K⁻¹ = [[0, I], [I, −C]].
    private Tensor Inverse()
    {
        var rank = near.shape[1];
        var identity = eye(rank, dtype: ScalarType.Float64, device: near.device);
        return cat([cat([zeros_like(identity), identity], 1), cat([identity, -farGram], 1)], 0);
    }

    // The middle of the widest stretch that is free of the diagonal's values: near one of them (Λ − t)⁻¹ would drown the rest.
    private static double FarFromAll(double[] values, double low, double high)
    {
        double[] marks = [low, .. values.Where(value => value > low && value < high).Order(), high];
        var widest = Enumerable.Range(0, marks.Length - 1).MaxBy(i => marks[i + 1] - marks[i]);
        return (marks[widest] + marks[widest + 1]) / 2;
    }
}
