using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>The losses of eight AdamW steps against PyTorch's, from the same head, adapter and batch.</summary>
public class TrainingParityTests
{
    private const double Tolerance = 1e-4;

    [Theory]
    [InlineData(FineTuningMethod.Lora, "lora")]
    [InlineData(FineTuningMethod.Full, "full")]
    public void TrainingLoop_FromReferenceStart_GivesReferenceLossAtEveryStep(FineTuningMethod method, string name)
    {
        var folder = SharedData.Path("roberta-tiny-parity");
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "training", "expected.json")));
        using var initial = Checkpoint.Open(Path.Combine(folder, "training", "initial.safetensors"));
        var result = expected.RootElement.GetProperty("results").GetProperty(name);
        var losses = result.GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble()).ToArray();
        var options = new TextClassificationOptions
        {
            LearningRate = result.GetProperty("learning_rate").GetDouble(),
            Schedule = LearningRateSchedule.Constant,
            WarmupRatio = 0,
            MaxGradientNorm = null,
            Dropout = 0,
            MaxEpochs = losses.Length,
            BatchSize = 4,
            Lora = new LoraOptions { Rank = 4, Alpha = 8, TargetModules = ["query", "value"] },
        };

        // The fixture has weights and no tokenizer; none is needed, since it gives token ids.
        using var randomness = new FitRandomness(1);
        using var fit = new ClassifierFit(ParityModel.Open(folder), method, options, classCount: 3, CPU, randomness);
        ParityModel.Set(fit.Network, initial);
        var observer = new RecordingObserver();
        var outcome = fit.Train(ParityModel.Rows(expected.RootElement), EncodedRows.None, [1, 1, 1], observer);

        foreach (var (step, loss) in losses.Index()) Assert.Equal(loss, observer.Losses[step], Tolerance);
        foreach (var weight in outcome.Weights.Values) weight.Dispose();
    }
}

/// <summary>Writes down what a training run reports.</summary>
internal sealed class RecordingObserver : ITrainingObserver
{
    public List<double> Losses { get; } = [];

    public List<double?> ValidationLosses { get; } = [];

    public List<double> LearningRates { get; } = [];

    public List<EpochReport> Epochs { get; } = [];

    public void CheckCancelled()
    {
    }

    public void StepEnded(TrainingProgress progress)
    {
        Losses.Add(progress.Loss);
        ValidationLosses.Add(progress.ValidationLoss);
        LearningRates.Add(progress.LearningRate);
    }

    public List<EvaluationReport> Evaluations { get; } = [];

    public void Evaluated(EvaluationReport evaluation, long totalSteps) => Evaluations.Add(evaluation);

    public void EpochEnded(EpochReport epoch) => Epochs.Add(epoch);
}
