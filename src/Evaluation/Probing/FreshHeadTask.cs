using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>Learning to name the class of each row from its first-token vector.</summary>
/// <param name="network">The head.</param>
/// <param name="vectors">(rows, hidden), on the head's device.</param>
/// <param name="classes">One a row, from 0.</param>
internal sealed class FreshHeadTask(HeadNetwork network, Tensor vectors, IReadOnlyList<int> classes) : ITrainingTask
{
    public nn.Module Network => network;

    public int RowCount => classes.Count;

    public double WeightOf(ReadOnlySpan<int> rows) => rows.Length;

    public Tensor SummedLoss(ReadOnlySpan<int> rows)
    {
        var (places, wanted) = (new long[rows.Length], new long[rows.Length]);
        for (var r = 0; r < rows.Length; r++) (places[r], wanted[r]) = (rows[r], classes[rows[r]]);
        using var scope = NewDisposeScope();
        var chosen = vectors.index_select(0, tensor(places, dtype: int64, device: vectors.device));
        return nn.functional.cross_entropy(
            network.forward(chosen), tensor(wanted, dtype: int64, device: vectors.device), reduction: nn.Reduction.Sum).MoveToOuterDisposeScope();
    }

    public ValidationOutcome? Validate(Action checkCancelled) => null;
}
