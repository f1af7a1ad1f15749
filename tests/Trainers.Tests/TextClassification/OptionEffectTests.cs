using Microsoft.ML;
using MLNetLoRA.Testing;
using TorchSharp;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>No setting without a test in which it changes the outcome.</summary>
public class OptionEffectTests
{
    private static readonly TextClassificationOptions Plain = CapitalTask.Options with { MaxEpochs = 2, BatchSize = 8 };

    private static readonly CapitalRow[] Rows = [.. CapitalTask.Rows(48).Select((row, r) => new CapitalRow
    {
        // Uneven classes for the weightings, two lengths for the token limit.
        Label = r < 32 ? "ant" : row.Label,
        Sentence1 = r % 2 == 0 ? row.Sentence1 : row.Sentence1 + " and a longer text",
        Sentence2 = row.Label,
    })];

    public static TheoryData<string, FineTuningMethod> Settings => new(Changes.Keys.SelectMany(name => name.StartsWith("Lora.", StringComparison.Ordinal)
        ? new (string, FineTuningMethod)[] { (name, FineTuningMethod.Lora) }
        : [(name, FineTuningMethod.Lora), (name, FineTuningMethod.Full)]));

    private static Dictionary<string, Func<TextClassificationOptions, TextClassificationOptions>> Changes => new()
    {
        ["BatchSize"] = options => options with { BatchSize = 6 },
        ["GradientAccumulationSteps"] = options => options with { GradientAccumulationSteps = 2 },
        ["MaxEpochs"] = options => options with { MaxEpochs = 3 },
        ["MaxTokens"] = options => options with { MaxTokens = 10 },
        ["LearningRate"] = options => options with { LearningRate = 5e-3 },
        ["LearningRate (default)"] = options => options with { LearningRate = null },
        ["Schedule"] = options => options with { Schedule = LearningRateSchedule.Cosine },
        ["Schedule (constant)"] = options => options with { Schedule = LearningRateSchedule.Constant },
        ["WarmupRatio"] = options => options with { WarmupRatio = 0.5 },
        ["WeightDecay"] = options => options with { WeightDecay = 0.5 },
        ["MaxGradientNorm"] = options => options with { MaxGradientNorm = 0.01 },
        ["MaxGradientNorm (none)"] = options => options with { MaxGradientNorm = null },
        ["Dropout"] = options => options with { Dropout = 0.2 },
        ["ClassWeighting"] = options => options with { ClassWeighting = ClassWeighting.Balanced },
        ["ClassWeights"] = options => options with { ClassWeights = new Dictionary<string, double> { ["bee"] = 5 } },
        ["ValidationFraction"] = options => options with { ValidationFraction = 0.25 },
        ["Seed"] = options => options with { Seed = 99 },
        ["ScoreKind"] = options => options with { ScoreKind = ScoreKind.Logit },
        ["Sentence2ColumnName"] = options => options with { Sentence2ColumnName = "Sentence2" },
        ["Lora.Rank"] = options => options with { Lora = options.Lora with { Rank = 2, Alpha = 8 } },
        ["Lora.Alpha"] = options => options with { Lora = options.Lora with { Alpha = 32 } },
        ["Lora.Initialization"] = options => options with { Lora = options.Lora with { Initialization = LoraInitialization.Orthogonal } },
        ["Lora.FreezesA"] = options => options with { Lora = options.Lora with { FreezesA = true } },
        ["Lora.Dropout"] = options => options with { Lora = options.Lora with { Dropout = 0.3 } },
        ["Lora.TargetModules"] = options => options with { Lora = options.Lora with { TargetModules = ["query", "value"] } },
    };

    private static readonly Dictionary<FineTuningMethod, float[][]> PlainScores = [];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Fit_WithOneSettingChanged_GivesOtherScores(string setting, FineTuningMethod method)
    {
        if (!PlainScores.TryGetValue(method, out var plain)) PlainScores.Add(method, plain = ScoresOf(method, Plain));

        Assert.NotEqual(plain, ScoresOf(method, Changes[setting](Plain)));
    }

    [Fact]
    public void ColumnNames_AreThoseOfTheSchema()
    {
        var ml = new MLContext(1);
        var options = Plain with
        {
            MaxEpochs = 1, LabelColumnName = "Kind", Sentence1ColumnName = "Text", ScoreColumnName = "Chances", OutputColumnName = "Guess",
        };
        var data = ml.Transforms.CopyColumns("Kind", "Label").Append(ml.Transforms.CopyColumns("Text", "Sentence1"))
            .Append(ml.Transforms.SelectColumns("Kind", "Text")).Fit(CapitalTask.Keyed(ml, Rows)).Transform(CapitalTask.Keyed(ml, Rows));

        using var model = CapitalTask.Trainer(ml, options: options).Fit(data);

        Assert.Equal(["Kind", "Text", "Guess", "Chances"], model.GetOutputSchema(data.Schema).Select(column => column.Name));
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, 2.4e-3 / 8)]
    [InlineData(FineTuningMethod.Full, 1e-5)]
    public void LearningRate_NotGiven_IsTheCards(FineTuningMethod method, double expected)
    {
        using var model = CapitalTask.Fit(method, Plain with { MaxEpochs = 1, LearningRate = null });
        Assert.Equal(expected, model.TrainingReport.LearningRate, 1e-12);
    }

    [Fact]
    public void ScoreKind_Probability_IsTheSoftmaxOfLogit()
    {
        var logits = ScoresOf(FineTuningMethod.Lora, Plain with { ScoreKind = ScoreKind.Logit });
        var probabilities = ScoresOf(FineTuningMethod.Lora, Plain);

        foreach (var (row, expected) in probabilities.Zip(logits))
        {
            var sum = expected.Sum(logit => Math.Exp(logit));
            foreach (var (c, probability) in row.Index()) Assert.Equal(Math.Exp(expected[c]) / sum, probability, 1e-6);
        }
    }

    [Fact]
    public void FreezesA_KeepsAAsDrawnAndTrainsTheRest()
    {
        var lora = new LoraOptions { Rank = 4, Initialization = LoraInitialization.Orthogonal };
        using var trained = CapitalTask.Fit(options: Plain with { Lora = lora });
        using var frozen = CapitalTask.Fit(options: Plain with { Lora = lora with { FreezesA = true } });
        var (ofTrained, ofFrozen) = (DistanceOfAFromOrthonormal(trained), DistanceOfAFromOrthonormal(frozen));

        Assert.InRange(ofFrozen.Largest, 0, 1e-5);
        Assert.True(ofTrained.Largest > 1e-3);
        Assert.Equal(ofFrozen.Numbers, trained.TrainingReport.TrainableParameters - frozen.TrainingReport.TrainableParameters);
    }

    private static (double Largest, long Numbers) DistanceOfAFromOrthonormal(TextClassificationTransformer model)
    {
        using var scope = torch.NewDisposeScope();
        using var share = model.AcquireShare();
        var all = share.Resource.Classifier.Tuned.Where(weight => weight.Key.EndsWith(".lora_A.weight", StringComparison.Ordinal))
            .Select(weight => weight.Value).ToArray();
        return (all.Max(a => (a.matmul(a.transpose(0, 1)) - torch.eye(a.shape[0], device: torch.CPU)).abs().max().item<float>()), all.Sum(a => a.numel()));
    }

    [Fact]
    public void MaxTokens_CountsTheRowsItCuts()
    {
        // Eight letters and two special tokens fit in 10; the longer texts do not.
        using var model = CapitalTask.Fit(options: Plain with { MaxEpochs = 1, MaxTokens = 10 }, rows: Rows);
        Assert.Equal(24, model.TrainingReport.TruncatedRows);
        using var roomy = CapitalTask.Fit(options: Plain with { MaxEpochs = 1 }, rows: Rows);
        Assert.Equal(0, roomy.TrainingReport.TruncatedRows);
    }

    [Theory]
    [InlineData(ClassWeighting.None, 1, 1)]
    [InlineData(ClassWeighting.None, 3, 0.5)]
    [InlineData(ClassWeighting.Balanced, 1, 1)]
    [InlineData(ClassWeighting.Balanced, 3, 0.5)]
    public void ClassWeights_WeighEachRowsLossAsTheFormulaSays(ClassWeighting weighting, double ant, double bee)
    {
        // Full batches and a rate that changes nothing: the reported loss is the weighted mean of the untrained model's own losses.
        CapitalRow[] rows = [.. CapitalTask.Rows(40).Where(row => row.Label != "cat").Take(20)];
        var counts = rows.CountBy(row => row.Label).ToDictionary();
        var still = Plain with { LearningRate = 1e-12, MaxEpochs = 1, BatchSize = 64 };
        using var untrained = CapitalTask.Fit(options: still, rows: rows);
        var losses = CapitalTask.Scores(untrained, rows).Zip(rows, (score, row) => -Math.Log(score[Array.IndexOf(CapitalTask.Labels, row.Label)])).ToArray();
        var weights = rows.Select(row => (row.Label == "ant" ? ant : bee)
            * (weighting is ClassWeighting.Balanced ? rows.Length / (double)(counts.Count * counts[row.Label]) : 1)).ToArray();

        using var weighted = CapitalTask.Fit(rows: rows, options: still with
        {
            ClassWeighting = weighting, ClassWeights = new Dictionary<string, double> { ["ant"] = ant, ["bee"] = bee },
        });

        var expected = losses.Zip(weights, (loss, weight) => loss * weight).Sum() / weights.Sum();
        Assert.Equal(expected, weighted.TrainingReport.Epochs[0].TrainLoss, 1e-5);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Report_CountsParametersAsTheFormulaSays(FineTuningMethod method)
    {
        using var model = CapitalTask.Fit(method, Plain with { MaxEpochs = 1 });

        const int Hidden = 32, Intermediate = 64, Layers = 2, Rank = 4, Classes = 3, Vocabulary = 261, Positions = 64;
        const long Head = Hidden * Hidden + Hidden + Hidden * Classes + Classes;
        const long Adapters = Layers * Rank * (4 * (Hidden + Hidden) + 2 * (Hidden + Intermediate));
        const long Layer = 4 * (Hidden * Hidden + Hidden) + 2 * Hidden * Intermediate + Intermediate + Hidden + 4 * Hidden;
        const long Encoder = (Vocabulary + Positions + 1) * Hidden + 2 * Hidden + Layers * Layer;
        var adapters = method is FineTuningMethod.Lora ? Adapters : 0;
        Assert.Equal(method is FineTuningMethod.Lora ? Adapters + Head : Encoder + Head, model.TrainingReport.TrainableParameters);
        Assert.Equal(Encoder + Head + adapters, model.TrainingReport.TotalParameters);
    }

    private static float[][] ScoresOf(FineTuningMethod method, TextClassificationOptions options)
    {
        using var model = CapitalTask.Fit(method, options, Rows);
        return CapitalTask.Scores(model, Rows.Take(4));
    }
}
