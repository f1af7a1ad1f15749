using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Leading singular vectors of a matrix M (near, far) from the space that a block of start vectors spans under M Mᵀ.</summary>
/// <remarks>
/// Musco and Musco, arXiv 1504.05477. Orthogonal to float64 throughout, so a start that holds the answer almost already loses nothing. A
/// few random columns join the start: a direction to which all others are orthogonal would never be found without them.
/// </remarks>
internal static class BlockKrylov
{
    private const int RandomColumns = 4;
    private const ulong RandomSeed = 7;
    private const int FirstCheck = 2;

    /// <summary>Searches until the wanted vectors are known well enough or the space is as large as it may be.</summary>
    /// <param name="times">M X.</param>
    /// <param name="transposedTimes">Mᵀ X.</param>
    /// <param name="start">Columns (near, n) to start from; null: random ones alone.</param>
    /// <param name="near">The number of rows of M.</param>
    /// <param name="count">How many pairs to return.</param>
    /// <param name="maxIterations">How often the space may grow.</param>
    /// <param name="isEnough">Looks at the pairs so far.</param>
    /// <param name="device">Where M is.</param>
    /// <returns>The last pairs; their own residuals say how good they are. In the caller's dispose scope.</returns>
    public static RitzPairs Find(
        Func<Tensor, Tensor> times, Func<Tensor, Tensor> transposedTimes, Tensor? start, long near, int count, int maxIterations,
        Func<RitzPairs, bool> isEnough, Device device)
    {
        using var scope = NewDisposeScope();
        var random = RandomMatrix.Normal(near, start is null ? count + (2 * RandomColumns) : RandomColumns, RandomSeed, device);
        var space = new RitzSpace(start is null ? random : cat([start, random], 1), transposedTimes);
        RitzPairs pairs;
        for (var iteration = 0; ; iteration++)
        {
            var isLast = iteration == maxIterations || space.IsFull;
            if (isLast || (iteration >= FirstCheck && iteration % 2 == 0))
            {
                pairs = Pairs(space, times, (int)Math.Min(count, space.Size));
                if (isLast || isEnough(pairs)) break;
            }
            space.Grow(times(space.NewestImages));
        }
        pairs.Vectors.MoveToOuterDisposeScope();
        return pairs;
    }

    // With T = MᵀS, SᵀM MᵀS = TᵀT.
    private static RitzPairs Pairs(RitzSpace space, Func<Tensor, Tensor> times, int count)
    {
        var (eigenvalues, rotation) = linalg.eigh(space.Images.t().matmul(space.Images));
        var leading = rotation.narrow(1, rotation.shape[1] - count, count).flip(1);
        var values = eigenvalues.narrow(0, eigenvalues.shape[0] - count, count).flip(0);
        var vectors = space.Vectors.matmul(leading);
        var residuals = times(space.Images.matmul(leading)).sub_(vectors * values).norm(0, keepdim: false, p: 2f);
        return new RitzPairs(vectors, values.ToDoubles(), residuals.ToDoubles());
    }
}
