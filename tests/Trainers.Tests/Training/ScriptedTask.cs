using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.Training;

/// <summary>
/// A matrix and a vector, both of ones, whose loss on row r is targets[r] · (sum of both): its gradient is known, and validation says what it is told.
/// </summary>
internal sealed class ScriptedTask(double[] targets, params ValidationOutcome?[] validations) : ITrainingTask, IDisposable
{
    private readonly TwoParameters _network = new();
    private int _validated;

    public List<int> RowsSeen { get; } = [];

    public List<int> PassSizes { get; } = [];

    public List<bool> TrainingModes { get; } = [];

    /// <summary>What validation finds in the matrix each time.</summary>
    public List<float> MatrixAtValidation { get; } = [];

    public Func<int, double> Weight { get; init; } = _ => 1;

    public nn.Module Network => _network;

    public float Matrix => _network.Matrix[0, 0].item<float>();

    public float Vector => _network.Vector[0].item<float>();

    public int RowCount => targets.Length;

    public double WeightOf(ReadOnlySpan<int> rows)
    {
        double weight = 0;
        foreach (var row in rows) weight += Weight(row);
        return weight;
    }

    public Tensor SummedLoss(ReadOnlySpan<int> rows)
    {
        if (is_grad_enabled())
        {
            PassSizes.Add(rows.Length);
            TrainingModes.Add(_network.training);
        }
        double factor = 0;
        foreach (var row in rows)
        {
            if (is_grad_enabled()) RowsSeen.Add(row);
            factor += targets[row] * Weight(row);
        }
        using var scope = NewDisposeScope();
        return ((_network.Matrix.sum() + _network.Vector.sum()) * factor).MoveToOuterDisposeScope();
    }

    public ValidationOutcome? Validate(Action checkCancelled)
    {
        if (validations.Length == 0) return null;
        checkCancelled();
        MatrixAtValidation.Add(Matrix);
        _network.eval();
        return validations[_validated++];
    }

    public void Dispose() => _network.Dispose();

    private sealed class TwoParameters : nn.Module
    {
        public TwoParameters() : base(nameof(TwoParameters))
        {
            Matrix = new Parameter(ones([1, 1], device: CPU));
            Vector = new Parameter(ones([1], device: CPU));
            register_parameter("matrix", Matrix);
            register_parameter("vector", Vector);
        }

        public Parameter Matrix { get; }

        public Parameter Vector { get; }
    }
}
