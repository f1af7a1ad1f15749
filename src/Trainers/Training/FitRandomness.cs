using System.Runtime.InteropServices;
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
    private static readonly Lazy<int> StateBytes = new(() =>
    {
        using var any = new FitRandomness(0);
        return any.Save().Length;
    });

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

    /// <summary>The generator's state, to be put back by <see cref="Restore"/>.</summary>
    public byte[] Save()
    {
        using var state = Generator.get_state();
        return state.data<byte>().ToArray();
    }

    /// <summary>Goes on drawing from where <see cref="Save"/> was called.</summary>
    /// <exception cref="InvalidDataException">The bytes are no state of this generator.</exception>
    public void Restore(byte[] saved)
    {
        using var state = tensor(saved, dtype: uint8, device: CPU);
        try
        {
            Generator.set_state(state);
        }
        catch (ExternalException e)
        {
            throw new InvalidDataException($"The state of the random generator is not valid: {e.Message.Split('\n')[0]}", e);
        }
    }

    /// <summary>Whether the bytes have a state's size.</summary>
    public static bool IsState(byte[] saved) => saved.Length == StateBytes.Value;

    public void Dispose() => Generator.Dispose();
}
