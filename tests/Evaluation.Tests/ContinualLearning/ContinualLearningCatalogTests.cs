using Microsoft.ML;
using MLNetLoRA.Evaluation.Tests.Forgetting;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.ContinualLearning;

[Collection(ProcessWide.Name)]
public sealed class ContinualLearningCatalogTests
{
    private readonly MLContext _ml = new(1);

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void ContinualLearning_FirstStage_HasTheNumbersOfAModelFittedByItself(FineTuningMethod method)
    {
        var options = ContinualTasks.Options with
        {
            Method = method, Training = ContinualTasks.Options.Training with { LearningRate = method is FineTuningMethod.Lora ? 1e-2 : 2e-3 },
        };
        var report = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), options);

        // The same training, alone, measured by the other two evaluations.
        var task = ContinualTasks.Capitals(_ml);
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(task.TrainingSet).Transform(task.TrainingSet);
        using var model = CapitalTask.Trainer(_ml, method, options.Training).Fit(keyed);
        foreach (var (index, other) in ContinualTasks.Both(_ml).Index())
        {
            var alone = _ml.Model.EvaluateRetentionTask(model, other.TrainingSet, other.TestSet, new() { Head = options.Head });
            Assert.Equal(alone.Base, report.Tasks[index].Base);
            Assert.Equal(alone.Tuned.LogLoss, report.Stages[0].Scores[index].LogLoss, 1e-2);
            Assert.Equal(alone.Tuned.Accuracy, report.Stages[0].Scores[index].Accuracy, 0.04);       // merging rounds: a row of 60 or two
        }
        var spectrum = _ml.Model.InspectIntruders(model);
        Assert.Equal(spectrum.Matrices.Select(matrix => matrix.Name), report.Stages[0].Matrices.Select(matrix => matrix.Name));
        foreach (var (expected, found) in spectrum.Matrices.Zip(report.Stages[0].Matrices))
        {
            Assert.Equal(expected.DeltaFrobenius, found.DeltaFrobenius, 1e-4);
            Assert.Equal(expected.Intruders, found.Intruders);
        }
    }

    [Fact]
    public void ContinualLearning_Merging_GoesOnFromTheLastStageAndComparesWithTheOriginalBase()
    {
        var held = SharedWeights.HeldCount;         // by models that other tests keep
        var report = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options);

        Assert.Equal(["capitals", "digits"], report.Stages.Select(stage => stage.TaskName));
        Assert.Equal([2, 2, 2], report.Accuracies.Select(row => row.Count));
        Assert.Equal((96, 60, 3), (report.Tasks[1].TrainingRows, report.Tasks[1].TestRows, report.Tasks[1].ClassCount));
        // Learned: better than on the base's trunk.
        Assert.True(report.Accuracies[1][0] > report.Accuracies[0][0] + 0.1);
        Assert.True(report.Accuracies[2][1] > report.Accuracies[0][1] + 0.1);
        foreach (var (first, second) in report.Stages[0].Matrices.Zip(report.Stages[1].Matrices))
        {
            Assert.Equal(first.BaseFrobenius, second.BaseFrobenius, 1e-9);
            Assert.NotEqual(first.DeltaFrobenius, second.DeltaFrobenius);
        }
        Assert.True(report.Stages[1].DeltaFrobenius > report.Stages[0].DeltaFrobenius);
        Assert.Equal(held, SharedWeights.HeldCount);
    }

    [Fact]
    public void ContinualLearning_MergingWithASeed_BeginsEachAdapterWithRowsOfItsOwn()
    {
        var lora = new LoraOptions { Rank = 1, FreezesA = true };
        var report = _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml),
            ContinualTasks.Options with { Training = ContinualTasks.Options.Training with { Seed = 3, Lora = lora, LearningRate = 1e-2 } });

        // Two changes of rank 1 that read their inputs through one and the same row would be one of rank 1.
        Assert.All(report.Stages[0].Matrices, matrix => Assert.InRange(matrix.EffectiveRank, 1, 1.05));
        Assert.All(report.Stages[1].Matrices, matrix => Assert.True(matrix.EffectiveRank > 1.1, $"{matrix.Name}: {matrix.EffectiveRank}"));
    }

    [Fact]
    public void ContinualLearning_AdaptersApart_ForgetsNothingAndHandsNothingOn()
    {
        var report = _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options with { Adapters = AdapterHandling.Apart });

        Assert.Equal((0.0, 0.0, 0.0), (report.AverageForgetting, report.BackwardTransfer, report.ForwardTransfer));
        Assert.Equal(report.Stages[0].Scores[0], report.Stages[1].Scores[0]);
        Assert.Equal(report.Tasks[1].Base, report.Stages[0].Scores[1]);
        Assert.True(report.Accuracies[2][1] > report.Accuracies[0][1] + 0.1);
        // Its second adapter was trained on the base: the run in the other order has it first.
        var reversed = _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml).Reverse().ToArray(), ContinualTasks.Options with { Adapters = AdapterHandling.Apart });
        Assert.Equal(report.Stages[1].DeltaFrobenius, reversed.Stages[0].DeltaFrobenius);
    }

    [Fact]
    public void ContinualLearning_Twice_GivesTheSameNumbers()
    {
        var first = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options);
        var second = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options);

        Assert.Equal(first.Stages.SelectMany(stage => stage.Scores), second.Stages.SelectMany(stage => stage.Scores));
        Assert.Equal(first.Stages[1].DeltaFrobenius, second.Stages[1].DeltaFrobenius);
    }

    [Fact]
    public void ContinualLearning_Repair_ChangesTheWeightsThatTheNextStageStartsFrom()
    {
        var plain = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options);
        var repaired = _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml),
            ContinualTasks.Options with { Repair = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0, Epsilon = 0.95, Which = RescalingKind.All }) });

        Assert.Null(plain.Repair);
        Assert.Equal("IntruderRescalingEstimator", repaired.Repair);
        Assert.NotEqual(plain.Stages[0].DeltaFrobenius, repaired.Stages[0].DeltaFrobenius);
        Assert.NotEqual(plain.Stages[1].Training.Epochs[0].TrainLoss, repaired.Stages[1].Training.Epochs[0].TrainLoss);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, AdapterHandling.Merge)]
    [InlineData(FineTuningMethod.Lora, AdapterHandling.Apart)]
    [InlineData(FineTuningMethod.Full, AdapterHandling.Merge)]
    public void ContinualLearning_BalanceRetention_TakesBackWhatEachStageDidToTheMatrices(FineTuningMethod method, AdapterHandling adapters)
    {
        var options = ContinualTasks.Options with { Method = method, Adapters = adapters, Training = ContinualTasks.Options.Training with { MaxEpochs = 1 } };

        var plain = _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), options);
        ContinualLearningReport Balanced(double strength) => _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml), options with { Repair = _ml.Transforms.BalanceRetention(Retention.Texts, strength) });
        var (balanced, undone) = (Balanced(1), Balanced(1e9));

        Assert.Equal("BalanceRetentionEstimator", balanced.Repair);
        foreach (var (stage, untouched) in balanced.Stages.Zip(plain.Stages)) Assert.NotEqual(untouched.DeltaFrobenius, stage.DeltaFrobenius, 0.01 * untouched.DeltaFrobenius);
        if (adapters is AdapterHandling.Merge) Assert.NotEqual(plain.Stages[1].Training.Epochs[0].TrainLoss, balanced.Stages[1].Training.Epochs[0].TrainLoss);
        // So strong that nothing is left: float32 and bfloat16 keep a little.
        foreach (var (stage, untouched) in undone.Stages.Zip(plain.Stages)) Assert.InRange(stage.DeltaFrobenius, 0, 0.01 * untouched.DeltaFrobenius);
    }

    [Fact]
    public void ContinualLearning_Progress_TellsEachStageInOrder()
    {
        var said = new List<string>();

        _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml),
            ContinualTasks.Options with { Training = ContinualTasks.Options.Training with { MaxEpochs = 1 }, Progress = new Recorder(said) });

        Assert.Equal(7, said.Count);
        Assert.StartsWith("Stage 1 of 2, capitals: training on 96 rows", said[1], StringComparison.Ordinal);
        Assert.StartsWith("Stage 2 of 2, digits: inspecting 12 matrices", said[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void ContinualLearning_Cancelled_StopsAndFreesTheModels()
    {
        var held = SharedWeights.HeldCount;         // by models that other tests keep
        using var source = new CancellationTokenSource();
        var progress = new CancelAt(source, "Stage 2");

        Assert.Throws<OperationCanceledException>(() => _ml.MulticlassClassification.ContinualLearning(
            CapitalTask.Base, ContinualTasks.Both(_ml), ContinualTasks.Options with { Progress = progress, CancellationToken = source.Token }));

        Assert.Equal(held, SharedWeights.HeldCount);
    }

    [Fact]
    public void ContinualLearning_RepairThatCannotBeFitted_FreesTheModels()
    {
        var held = SharedWeights.HeldCount;         // by models that other tests keep
        var options = ContinualTasks.Options with
        {
            Training = ContinualTasks.Options.Training with { MaxEpochs = 1 },
            Repair = _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Scale = 0.5, TopK = 1000 }),
        };

        var error = Assert.Throws<ArgumentException>(() => _ml.MulticlassClassification.ContinualLearning(CapitalTask.Base, ContinualTasks.Both(_ml), options));

        Assert.Contains("TopK is 1000", error.Message, StringComparison.Ordinal);
        Assert.Equal(held, SharedWeights.HeldCount);
    }

    [Fact]
    public void ContinualLearning_BadTasks_AreRefusedBeforeAnyTraining()
    {
        var (good, other) = (ContinualTasks.Capitals(_ml), ContinualTasks.Digits(_ml));
        var empty = ContinualTasks.View(_ml, []);

        Assert.Contains("There is 1 task; give two or more", Refusal([good]), StringComparison.Ordinal);
        Assert.Contains("There are no tasks", Refusal([]), StringComparison.Ordinal);
        Assert.Contains("2 tasks are called 'capitals'", Refusal([good, other, good]), StringComparison.Ordinal);
        Assert.Contains("A task has no name", Refusal([good, other with { Name = " " }]), StringComparison.Ordinal);
        Assert.Contains(
            "Task 'digits', training rows: all 9 are of class 'ant'",
            Refusal([good, other with { TrainingSet = ContinualTasks.View(_ml, CapitalTask.Rows(9, classes: 1)) }]), StringComparison.Ordinal);
        Assert.Contains("Task 'digits', training rows: there are none", Refusal([good, other with { TrainingSet = empty }]), StringComparison.Ordinal);
        Assert.Contains("Task 'digits', test rows: there are none", Refusal([good, other with { TestSet = empty }]), StringComparison.Ordinal);
        Assert.Contains(
            "Task 'digits', training rows: There is no column 'Body'", Refusal([good, other with { Sentence1ColumnName = "Body" }]), StringComparison.Ordinal);
        Assert.Contains("Task 'digits', test rows: There is no column 'Kind'", Refusal([good, other with { LabelColumnName = "Kind" }]), StringComparison.Ordinal);
        Assert.Contains("Sentence2ColumnName is empty", Refusal([good, other with { Sentence2ColumnName = "" }]), StringComparison.Ordinal);
        Assert.Contains("a label that training does not know", Refusal([good, other with { TestSet = good.TestSet }]), StringComparison.Ordinal);

        string Refusal(ContinualTask[] tasks) => Refused(CapitalTask.Base, tasks, new ContinualLearningOptions { Progress = new NoTraining() });
    }

    [Fact]
    public void ContinualLearning_BadSettings_AreReportedTogether()
    {
        var message = Refused(CapitalTask.Base.WithRandomWeights(), ContinualTasks.Both(_ml), new ContinualLearningOptions
        {
            Method = FineTuningMethod.Full,
            Adapters = AdapterHandling.Apart,
            Training = new TextClassificationOptions { BatchSize = 0, ValidationSet = ContinualTasks.View(_ml, []) },
            Head = new FreshHeadOptions { MaxEpochs = 0 },
            Spectral = new SpectralSettings { TopK = [] },
        });

        Assert.All(
            [
                "full fine-tuning has no adapters", "Training: BatchSize is 0", "Training.ValidationSet is given", "Head.MaxEpochs is 0", "Spectral: TopK is empty",
                "has no pretrained weights",
            ],
            fault => Assert.Contains(fault, message, StringComparison.Ordinal));
    }

    private string Refused(PretrainedModel model, ContinualTask[] tasks, ContinualLearningOptions options) =>
        Assert.Throws<ArgumentException>(() => _ml.MulticlassClassification.ContinualLearning(model, tasks, options)).Message;

    private sealed class Recorder(List<string> said) : IProgress<string>
    {
        public void Report(string value) => said.Add(value);
    }

    private sealed class NoTraining : IProgress<string>
    {
        public void Report(string value) => Assert.Fail($"The run went on to: {value}");
    }

    private sealed class CancelAt(CancellationTokenSource source, string beginning) : IProgress<string>
    {
        public void Report(string value)
        {
            if (value.StartsWith(beginning, StringComparison.Ordinal)) source.Cancel();
        }
    }
}
