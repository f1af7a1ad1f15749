using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>A growing orthonormal space S with the image of each of its vectors under a map.</summary>
/// <remarks>Columns live in the dispose scope of whoever grows the space, which must outlast it.</remarks>
internal sealed class RitzSpace
{
    private readonly Func<Tensor, Tensor> _map;

    /// <param name="start">The first columns (dimension, n), independent of each other.</param>
    /// <param name="map">The linear map, applied to several columns at once.</param>
    public RitzSpace(Tensor start, Func<Tensor, Tensor> map)
    {
        _map = map;
        (Vectors, _) = linalg.qr(start);
        Newest = Vectors;
        NewestImages = Images = map(Vectors);
    }

    /// <summary>S (dimension, size).</summary>
    public Tensor Vectors { get; private set; }

    /// <summary>The map applied to S.</summary>
    public Tensor Images { get; private set; }

    /// <summary>The columns added last.</summary>
    public Tensor Newest { get; private set; }

    /// <summary>The images of the columns added last.</summary>
    public Tensor NewestImages { get; private set; }

    public long Size => Vectors.shape[1];

    /// <summary>Whether S is the whole space.</summary>
    public bool IsFull => Size == Vectors.shape[0];

    /// <summary>Adds the directions of some columns that S does not hold yet.</summary>
    /// <remarks>
    /// Projected and orthonormalised twice: once leaves directions that S held almost entirely far from orthogonal to it. Columns that add
    /// nothing become arbitrary new directions, which do no harm. The last columns are left out when the space has no room for all.
    /// </remarks>
    public void Grow(Tensor columns)
    {
        var added = columns.narrow(1, 0, Math.Min(columns.shape[1], Vectors.shape[0] - Size));
        for (var pass = 0; pass < 2; pass++)
        {
            added = added - Vectors.matmul(Vectors.t().matmul(added));
            (added, _) = linalg.qr(added);
        }
        added = added - Vectors.matmul(Vectors.t().matmul(added));
        (Newest, _) = linalg.qr(added);
        NewestImages = _map(Newest);
        Vectors = cat([Vectors, Newest], 1);
        Images = cat([Images, NewestImages], 1);
    }
}
