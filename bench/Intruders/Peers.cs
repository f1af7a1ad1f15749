using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Intruders;

/// <summary>What others do, on the same libtorch, as they write it: complete float32 decompositions.</summary>
internal static class Peers
{
    /// <summary>The cosines found and the rescaled change or matrix.</summary>
    public sealed record Outcome(Tensor Cosines, Tensor Rescaled);

    /// <summary>PEFT's reduce_intruder_dimension: decompositions of base, tuned matrix and new change, which is cut back to the old rank.</summary>
    public static Outcome ThreeDecompositions(Tensor weight, Tensor a, Tensor b, int topK, double epsilon, double scale)
    {
        var tuned = weight + b.matmul(a);
        var (u0, _, _) = linalg.svd(weight, fullMatrices: false);
        var (u, s, vh) = linalg.svd(tuned, fullMatrices: false);
        var cosines = u.t().matmul(u0).abs().amax([1L]).narrow(0, 0, topK);
        var intruders = Below(cosines, epsilon);
        if (intruders.shape[0] == 0) return new Outcome(cosines, b.matmul(a));
        var root = s.index_select(0, intruders).sqrt();
        var part = (u.index_select(1, intruders) * root).matmul(root.unsqueeze(1) * vh.index_select(0, intruders));
        var (ud, sd, vhd) = linalg.svd(tuned + ((scale - 1) * part) - weight, fullMatrices: false);
        var rank = a.shape[0];
        var cut = sd.narrow(0, 0, rank).sqrt();
        return new Outcome(cosines, (ud.narrow(1, 0, rank) * cut).matmul(cut.unsqueeze(1) * vhd.narrow(0, 0, rank)));
    }

    /// <summary>The paper's way: decompositions of base and tuned matrix, and the top intruder scaled in place.</summary>
    public static Outcome TwoDecompositions(Tensor weight, Tensor tuned, int topK, double epsilon, double scale)
    {
        var (u0, _, _) = linalg.svd(weight, fullMatrices: false);
        return OneDecomposition(u0, tuned, topK, epsilon, scale);
    }

    /// <summary>The same, by someone who kept the base's singular vectors.</summary>
    public static Outcome OneDecomposition(Tensor u0, Tensor tuned, int topK, double epsilon, double scale)
    {
        var (u, s, vh) = linalg.svd(tuned, fullMatrices: false);
        var cosines = u.narrow(1, 0, topK).t().matmul(u0).abs().amax([1L]);
        var intruders = Below(cosines, epsilon);
        if (intruders.shape[0] == 0) return new Outcome(cosines, tuned);
        var top = intruders.narrow(0, 0, 1);
        return new Outcome(
            cosines, tuned + ((scale - 1) * (u.index_select(1, top) * s.index_select(0, top)).matmul(vh.index_select(0, top))));
    }

    private static Tensor Below(Tensor cosines, double epsilon) => (cosines < epsilon).nonzero().view(-1);
}
