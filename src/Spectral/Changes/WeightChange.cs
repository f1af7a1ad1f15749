using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>
/// What fine-tuning did to one weight matrix: the base W0 together with low-rank factors or with the tuned matrix itself.
/// </summary>
/// <remarks>
/// Borrows its tensors, which may share storage with a model: they must live, unchanged, as long as this object and everything computed
/// from it is used. All of them are on one device, in float64, float32, float16 or bfloat16; computing widens them, never the caller.
/// Contents are checked once, here. Immutable; thread safe as long as the tensors are.
/// </remarks>
public sealed class WeightChange
{
    private static readonly ScalarType[] DataTypes = [ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16];

    private WeightChange(string name, Tensor baseWeight) => (Name, Base) = (name, baseWeight);

    /// <summary>What messages and findings call the matrix: the checkpoint key without ".weight", for example.</summary>
    public string Name { get; }

    /// <summary>The matrix before fine-tuning, W0 (rows, columns).</summary>
    public Tensor Base { get; }

    /// <summary>The matrix after fine-tuning (rows, columns); null when the change is given by factors.</summary>
    public Tensor? Tuned { get; private init; }

    /// <summary>A (rank, columns) of the change; null when the change is dense.</summary>
    public Tensor? A { get; private init; }

    /// <summary>B (rows, rank) of the change; null when the change is dense.</summary>
    public Tensor? B { get; private init; }

    /// <summary>The factor in front of BA; 1 for a dense change.</summary>
    public double Scale { get; private init; } = 1;

    /// <summary>Outputs of the linear map.</summary>
    public long Rows => Base.shape[0];

    /// <summary>Inputs of the linear map.</summary>
    public long Columns => Base.shape[1];

    /// <summary>Whether the change is given by factors.</summary>
    public bool IsLowRank => Tuned is null;

    /// <summary>A change by factors: W = W0 + scale · B A.</summary>
    /// <param name="name">What messages and findings call the matrix.</param>
    /// <param name="baseWeight">W0 (rows, columns).</param>
    /// <param name="a">A (rank, columns), rank at least 1.</param>
    /// <param name="b">B (rows, rank).</param>
    /// <param name="scale">The factor in front of BA; alpha / rank in PEFT.</param>
    /// <exception cref="ArgumentException">
    /// A shape, element type or device does not fit, or a value is not finite; the message starts with <paramref name="name"/>.
    /// </exception>
    public static WeightChange LowRank(string name, Tensor baseWeight, Tensor a, Tensor b, double scale)
    {
        CheckMatrix(name, "the base", baseWeight);
        CheckMatrix(name, "A", a);
        CheckMatrix(name, "B", b);
        if (a.shape[1] != baseWeight.shape[1] || b.shape[0] != baseWeight.shape[0] || a.shape[0] != b.shape[1])
        {
            throw new ArgumentException(
                $"{name}: A is {Shape(a)} and B is {Shape(b)}; a base of {Shape(baseWeight)} wants A (rank, {baseWeight.shape[1]}) "
                + $"and B ({baseWeight.shape[0]}, rank).");
        }
        if (!double.IsFinite(scale)) throw new ArgumentException($"{name}: the scale of the factors is {scale}; give a finite number.");
        CheckDevice(name, "A", a, baseWeight);
        CheckDevice(name, "B", b, baseWeight);
        return new WeightChange(name, baseWeight) { A = a, B = b, Scale = scale };
    }

    /// <summary>A change by the tuned matrix itself, as full fine-tuning or a merged adapter gives it.</summary>
    /// <param name="name">What messages and findings call the matrix.</param>
    /// <param name="baseWeight">W0 (rows, columns).</param>
    /// <param name="tuned">W (rows, columns).</param>
    /// <exception cref="ArgumentException">
    /// A shape, element type or device does not fit, or a value is not finite; the message starts with <paramref name="name"/>.
    /// </exception>
    public static WeightChange Dense(string name, Tensor baseWeight, Tensor tuned)
    {
        CheckMatrix(name, "the base", baseWeight);
        CheckMatrix(name, "the tuned matrix", tuned);
        if (!tuned.shape.SequenceEqual(baseWeight.shape))
        {
            throw new ArgumentException(
                $"{name}: the base is {Shape(baseWeight)} and the tuned matrix {Shape(tuned)}; both must have one shape. "
                + "Compare checkpoints of one model.");
        }
        CheckDevice(name, "the tuned matrix", tuned, baseWeight);
        return new WeightChange(name, baseWeight) { Tuned = tuned };
    }

    /// <summary>Checks that a tensor is a matrix of finite numbers that singular values can be computed of.</summary>
    internal static void CheckMatrix(string name, string role, Tensor matrix)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(matrix);
        if (matrix.shape.Length != 2 || matrix.shape.Contains(0))
            throw new ArgumentException($"{name}: {role} is {Shape(matrix)}; a matrix with at least one row and one column was wanted.");
        if (!DataTypes.Contains(matrix.dtype))
            throw new ArgumentException($"{name}: {role} holds {matrix.dtype}; give Float64, Float32, Float16 or BFloat16.");
        using var scope = NewDisposeScope();
        if (matrix.detach().isfinite().all().item<bool>()) return;
        var wrong = matrix.NumberOfElements - matrix.detach().isfinite().sum(ScalarType.Int64).item<long>();
        throw new ArgumentException(
            $"{name}: {role} holds {wrong} values that are NaN or infinite, of {matrix.NumberOfElements}; "
            + "the training that made it diverged or the file is damaged. Use an earlier or intact checkpoint.");
    }

    internal static string Shape(Tensor tensor) => $"({string.Join(", ", tensor.shape)})";

    private static void CheckDevice(string name, string role, Tensor tensor, Tensor baseWeight)
    {
        if (tensor.device_type != baseWeight.device_type || tensor.device_index != baseWeight.device_index)
            throw new ArgumentException(
                $"{name}: {role} is on {tensor.device} and the base on {baseWeight.device}; move them to one device.");
    }
}
