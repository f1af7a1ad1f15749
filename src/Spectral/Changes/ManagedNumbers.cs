using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>Small tensors as plain numbers.</summary>
internal static class ManagedNumbers
{
    /// <summary>The elements in row-major order, as float64, from any device.</summary>
    public static double[] ToDoubles(this Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64, CPU).contiguous().data<double>().ToArray();
    }

    /// <summary>A matrix as plain numbers.</summary>
    public static double[,] ToMatrix(this Tensor tensor)
    {
        var (rows, columns) = ((int)tensor.shape[0], (int)tensor.shape[1]);
        var flat = tensor.ToDoubles();
        var matrix = new double[rows, columns];
        Buffer.BlockCopy(flat, 0, matrix, 0, sizeof(double) * flat.Length);
        return matrix;
    }

    /// <summary>The single element of a tensor, as float64.</summary>
    public static double ToDouble(this Tensor tensor) => tensor.to(ScalarType.Float64).item<double>();
}
