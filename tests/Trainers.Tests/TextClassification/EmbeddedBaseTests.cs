using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>A base that came with a model file, used for something else than that model.</summary>
[Collection(ProcessWide.Name)]
public class EmbeddedBaseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Lora, FineTuningMethod.Full)]
    [InlineData(FineTuningMethod.Full, FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full, FineTuningMethod.Full)]
    public void Save_OfAFitFromALoadedBase_NeedsNotTheModelThatBroughtIt(FineTuningMethod first, FineTuningMethod second)
    {
        using (var trained = Fit(first, CapitalTask.Base)) Save(trained, "first.mlnet");
        var loaded = Load("first.mlnet");
        using (var refitted = Fit(second, loaded.BaseModel))
        {
            loaded.Dispose();
            Save(refitted, "second.mlnet");
            using var again = Load("second.mlnet");

            var probe = CapitalTask.Rows(6, seed: 2);
            Assert.Equal(CapitalTask.Base.ContentHash, again.BaseModel.ContentHash);
            Assert.Equal(CapitalTask.Scores(refitted, probe), CapitalTask.Scores(again, probe));
        }
        Assert.Equal(0, SharedWeights.HeldCount);
        Assert.Throws<ObjectDisposedException>(() => loaded.BaseModel.WriteWeights(Stream.Null));
    }

    [Fact]
    public void Fit_WhileTheModelThatBroughtTheBaseIsDisposed_GoesOn()
    {
        using (var trained = Fit(FineTuningMethod.Full, CapitalTask.Base)) Save(trained, "first.mlnet");
        var loaded = Load("first.mlnet");
        var options = Options with { Progress = new OnStep(_ => loaded.Dispose()) };

        using var refitted = CapitalTask.Fit(FineTuningMethod.Full, options, model: loaded.BaseModel);

        Save(refitted, "second.mlnet");
    }

    private static TextClassificationOptions Options => CapitalTask.Options with { MaxEpochs = 1, BaseStorage = BaseStorage.Embedded };

    private static TextClassificationTransformer Fit(FineTuningMethod method, PretrainedModel model) => CapitalTask.Fit(method, Options, model: model);

    private void Save(ITransformer model, string name) => new MLContext().Model.Save(model, null, _folder.File(name));

    private TextClassificationTransformer Load(string name) => (TextClassificationTransformer)new MLContext().Model.Load(_folder.File(name), out _);
}
