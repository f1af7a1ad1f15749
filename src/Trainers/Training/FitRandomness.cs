using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>The one source of randomness of one fit: initial values, row order and dropout masks.</summary>
/// <remarks>
/// Two fits with one seed draw the same numbers, on any device, whatever else the process does meanwhile: the generator is the CPU's, since
/// TorchSharp makes no other, and what it draws is moved to where it is needed.
/// </remarks>
internal sealed class FitRandomness : IDisposable
{
    public FitRandomness(int seed)
    {
        Generator = new Generator((ulong)seed, CPU);
        Dropout = new RandomDropout(Generator);
    }

    public Generator Generator { get; }

    public RandomDropout Dropout { get; }

    /// <summary>The numbers 0 to <paramref name="count"/> - 1 in a new random order.</summary>
    public int[] Shuffle(int count)
    {
        using var scope = NewDisposeScope();
        // Sorting float64 keys: ties are as good as impossible at any count that fits in memory.
        var order = rand(count, dtype: float64, device: CPU, generator: Generator).argsort();
        return [.. order.data<long>().Select(index => (int)index)];
    }

    public void Dispose() => Generator.Dispose();
}
