using Microsoft.ML;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>
/// Every tensor is made on the model's device: with "meta" as the process's default, a tensor made without one has no values and fails.
/// </summary>
[Collection(ProcessWide.Name)]
public class DeviceTests
{
    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Classifier_WithAnotherDefaultDevice_LoadsTrainsScoresAndSavesTheSame(FineTuningMethod method)
    {
        Assert.Equal(LoadTrainScoreSave(method), WithMetaAsDefault(() => LoadTrainScoreSave(method)));
    }

    [Fact]
    public void MaskedLanguageModel_WithAnotherDefaultDevice_TrainsAndEvaluatesTheSame()
    {
        Assert.Equal(TrainMasked(), WithMetaAsDefault(TrainMasked));
    }

    [Fact]
    public void DefaultDeviceOfMeta_MakesATensorWithoutADeviceFail()
    {
        // What the two tests above rest on.
        Assert.ThrowsAny<Exception>(() => WithMetaAsDefault(() => zeros(1).item<float>()));
    }

    private static float[][] LoadTrainScoreSave(FineTuningMethod method)
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(folder.FullName));
        var options = CapitalTask.Options with
        {
            MaxEpochs = 2, Dropout = 0.1, ValidationFraction = 0.2, ClassWeighting = ClassWeighting.Balanced, WeightDecay = 0.01,
            Lora = new LoraOptions { Rank = 2, Dropout = 0.1 },
        };
        using var trained = CapitalTask.Fit(method, options, model: model);
        ml.Model.Save(trained, null, folder.File("model.mlnet"));
        ml.FallbackToCpu = true;
        using var loaded = (TextClassificationTransformer)ml.Model.Load(folder.File("model.mlnet"), out _);
        var rows = CapitalTask.Rows(6, seed: 2);
        var scores = CapitalTask.Scores(trained, rows);
        Assert.SkipWhen(cuda.is_available(), "A loaded model would go to the GPU here.");
        Assert.Equal(scores, CapitalTask.Scores(loaded, rows));
        return scores;
    }

    private static double TrainMasked()
    {
        using var folder = new TemporaryFolder();
        TinyModel.WriteTokenizer(folder.FullName);
        var model = PretrainedModel.FromScratch(TinyModel.WriteConfig(folder.FullName), folder.FullName);
        using var fit = new MaskedLanguageModelTrainer(model, new MaskedLanguageModelOptions { Device = "cpu", BatchSize = 4 })
            .Train(Enumerable.Repeat("abababababababab", 40), ["abababab"]);
        fit.SaveFolder(folder.FullName);
        var again = PretrainedModel.FromFolder(folder.FullName);
        using var continued = new MaskedLanguageModelTrainer(again, new MaskedLanguageModelOptions { Device = "cpu", BatchSize = 4 })
            .Train(Enumerable.Repeat("abababababababab", 8));
        return continued.Evaluate(["babababababa"]).Loss;
    }

    private static T WithMetaAsDefault<T>(Func<T> run)
    {
        set_default_device(META);
        try
        {
            return run();
        }
        finally
        {
            set_default_device(CPU);
        }
    }
}
