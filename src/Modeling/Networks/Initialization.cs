using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>How a parameter that no checkpoint holds gets its first values.</summary>
/// <remarks>Immutable and thread-safe; all randomness comes from the generator handed to <see cref="Draw"/>.</remarks>
public sealed class Initialization
{
    private readonly Action<Tensor, Generator> _fill;

    private Initialization(Action<Tensor, Generator> fill) => _fill = fill;

    /// <summary>All zeros.</summary>
    public static Initialization Zeros { get; } = new((tensor, _) => tensor.zero_());

    /// <summary>All ones.</summary>
    public static Initialization Ones { get; } = new((tensor, _) => tensor.fill_(1));

    /// <summary>
    /// Uniform in ±1/√fan-in, the fan-in being the last dimension: what PEFT gives lora_A (Kaiming uniform with a = √5).
    /// </summary>
    public static Initialization KaimingUniform { get; } = new((tensor, generator) =>
    {
        var bound = 1 / Math.Sqrt(tensor.shape[^1]);
        tensor.uniform_(-bound, bound, generator);
    });

    /// <summary>Rows of length 1 at right angles to each other, drawn uniformly from all such; for a matrix with no more rows than columns.</summary>
    public static Initialization OrthonormalRows { get; } = new((tensor, generator) =>
    {
        using var scope = NewDisposeScope();
        var (q, r) = linalg.qr(randn([tensor.shape[1], tensor.shape[0]], dtype: float64, device: CPU, generator: generator));
        // Q alone is not uniform: Householder's signs depend on the draw; R's diagonal takes them out (arXiv math-ph/0609050, section 5).
        tensor.copy_(q.mul(r.diagonal().sign()).transpose(0, 1));
    });

    /// <summary>Row p, column 2i is sin(p / 10000^(2i / width)), column 2i + 1 the cosine. Source: arXiv 1706.03762, section 3.5.</summary>
    /// <remarks>For a matrix of even width.</remarks>
    public static Initialization Sinusoids { get; } = new((tensor, _) =>
    {
        using var scope = NewDisposeScope();
        var (rows, width) = (tensor.shape[0], tensor.shape[1]);
        var positions = arange(rows, dtype: float64, device: tensor.device).unsqueeze(1);
        var exponents = arange(0, width, 2, dtype: float64, device: tensor.device).div_(width).unsqueeze(0);
        var angles = positions * exponents.mul_(-Math.Log(10_000)).exp_();                // (rows, width / 2)
        tensor.copy_(stack([angles.sin(), angles.cos()], dim: -1).view(rows, width));
    });

    /// <summary>Normal with mean 0: what the RoBERTa and BERT papers give every matrix.</summary>
    /// <param name="standardDeviation">Zero or more; config.json's initializer_range, usually 0.02.</param>
    public static Initialization Normal(double standardDeviation) =>
        new((tensor, generator) => tensor.normal_(0, standardDeviation, generator));

    /// <summary>A new float32 tensor; the caller owns it.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="device">Where it shall be; it is drawn on the CPU, so the values are the same on every device.</param>
    /// <param name="generator">A CPU generator.</param>
    public Tensor Draw(long[] shape, Device device, Generator generator)
    {
        using var scope = NewDisposeScope();
        var tensor = empty(shape, dtype: float32, device: CPU);
        _fill(tensor, generator);
        return tensor.to(device).MoveToOuterDisposeScope();
    }
}
