using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>Trains a fresh head on one state of a trunk and tests it.</summary>
/// <remarks>Source: arXiv 2410.21228, section 6: to test a task, a head is trained anew on the frozen trunk.</remarks>
internal sealed class FreshHead(FreshHeadOptions options, CancellationToken cancellation)
{
    private const double WarmupRatio = 0.06;

    /// <summary>One pass of the trunk over all rows, then the head's training on what it gave.</summary>
    /// <param name="trunk">The state to judge.</param>
    /// <param name="head">The model whose head is begun with: BERT's pooler is pretrained. The same for every state that is compared.</param>
    /// <param name="task">The rows.</param>
    /// <returns>The score, and of each test row whether it was classified correctly.</returns>
    /// <exception cref="TrainingDivergedException">The head's loss was no longer a number.</exception>
    public (FreshHeadScore Score, bool[] Right) Judge(FrozenTrunk trunk, PretrainedModel head, LabelledTask task)
    {
        using var scope = NewDisposeScope();
        using var randomness = new FitRandomness(options.Seed);
        using var network = Begin(head, task.Labels.Count, trunk.Device, randomness);
        var trainingLoss = Train(network, Vectors(trunk, task.Training), task.Training.Classes, randomness);
        var (outcome, right) = Test(network, Vectors(trunk, task.Test), task.Test.Classes, task.Labels.Count);
        return (new FreshHeadScore(outcome.Accuracy!.Value, outcome.MacroAccuracy!.Value, outcome.Loss, trainingLoss), right);
    }

    private Tensor Vectors(FrozenTrunk trunk, EncodedRows rows) => tensor(
        trunk.FirstTokens(rows.Texts, options.BatchSize, cancellation.ThrowIfCancellationRequested),
        [rows.Count, trunk.Base.Config.HiddenSize], dtype: float32, device: trunk.Device);

    private static HeadNetwork Begin(PretrainedModel model, int classCount, Device device, FitRandomness randomness)
    {
        using var shared = SharedWeights.Acquire(model, device);
        var weights = SequenceClassifier.StartingWeights(shared.Tensors, model.Config, rows: null);
        var source = new ParameterSource(weights, device, isTrainable: _ => true, randomness.Generator);
        return new HeadNetwork(new NetworkContext(model.Config, new PlainProjections(), randomness.Dropout), source, classCount);
    }

    private double Train(HeadNetwork network, Tensor vectors, IReadOnlyList<int> classes, FitRandomness randomness)
    {
        var plan = new TrainingPlan(
            options.MaxEpochs, options.BatchSize, AccumulationSteps: 1, options.LearningRate, LearningRateSchedule.Linear, WarmupRatio,
            WeightDecay: 0, MaxGradientNorm: 1, Patience: 1);
        var observer = new OptionsObserver(cancellation, progress: null, log: _ => { });
        var outcome = new TrainingLoop(new FreshHeadTask(network, vectors, classes), plan, randomness, observer, drawnKeys: []).Run();
        // Without validation rows the last epoch's weights are the network's own.
        foreach (var weight in outcome.Weights.Values) weight.Dispose();
        return outcome.Divergence is { } divergence
            ? throw new TrainingDivergedException(divergence, lastGoodEpoch: null)
            : outcome.Epochs[^1].TrainLoss;
    }

    private static (ValidationOutcome Outcome, bool[] Right) Test(HeadNetwork network, Tensor vectors, IReadOnlyList<int> classes, int classCount)
    {
        using var _ = inference_mode();
        network.eval();
        var logits = network.forward(vectors).cpu().data<float>().ToArray();
        var counts = new ClassificationCounts(classCount);
        var right = new bool[classes.Count];
        for (var row = 0; row < right.Length; row++)
        {
            var scores = logits.AsSpan(row * classCount, classCount);
            counts.Add(scores, classes[row]);
            right[row] = Softmax.ArgMax(scores) == classes[row];
        }
        return (counts.Outcome(), right);
    }
}
