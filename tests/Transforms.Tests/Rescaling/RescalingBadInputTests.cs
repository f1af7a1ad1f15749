using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Transforms.Tests.Rescaling;

public sealed class RescalingBadInputTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly Lazy<TextClassificationTransformer> _planted = new(() => PlantedModel.Lora());

    private IDataView Scored => _planted.Value.Transform(PlantedModel.Data());

    public void Dispose()
    {
        if (_planted.IsValueCreated) _planted.Value.Dispose();
    }

    [Fact]
    public void Options_SeveralFaults_AreReportedTogether()
    {
        var options = new IntruderOptions
        {
            Scale = -1, ValidationSet = PlantedModel.Data(), Epsilon = 1, TopK = 0, Rank = 0, TargetModules = [], ScaleGrid = [double.NaN], AccuracyTolerance = 2,
            Which = (RescalingKind)9, ScoreColumnName = " ", LabelColumnName = "",
        };

        var error = Assert.Throws<ArgumentException>(() => _ml.Transforms.RescaleIntruderDimensions(options));

        string[] expected =
        [
            "RescaleIntruderDimensions: Scale is -1; use 0 or more", "Scale and ValidationSet are both given", "ScaleGrid holds NaN", "AccuracyTolerance is 2",
            "Which is 9", "Epsilon is 1; use a cosine above 0 and below 1", "TopK is 0", "TargetModules is empty", "Rank is 0", "ScoreColumnName is empty", "LabelColumnName is empty",
        ];
        Assert.All(expected, fault => Assert.Contains(fault, error.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(-0.1)]
    public void Scale_OutOfRange_IsRefused(double scale) =>
        Assert.Contains("Scale is", Assert.Throws<ArgumentException>(() => _ml.Transforms.RescaleIntruderDimensions(scale)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(-0.5)]
    [InlineData(1.5)]
    [InlineData(double.NaN)]
    public void Epsilon_OutOfRange_IsRefused(double epsilon) =>
        Assert.Contains("Epsilon is", Assert.Throws<ArgumentException>(() => _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { Epsilon = epsilon })).Message, StringComparison.Ordinal);

    [Fact]
    public void TopK_AboveTheShorterSide_NamesTheMatrixAndTheLimit() =>
        AssertFit(new IntruderOptions { TopK = 33 }, Scored, "TopK is 33; 'roberta.encoder.layer.0.attention.output.dense' is 32 by 32", "use 32 or less");

    [Fact]
    public void TargetModules_UnknownName_ListsTheKnownOnes() =>
        AssertFit(new IntruderOptions { TargetModules = ["qury"], TopK = 33 }, Scored, "TargetModules 'qury' matches no projection", "query, key, value");

    [Fact]
    public void TargetModules_NotFineTuned_IsRefused()
    {
        using var model = CapitalTask.Fit(options: PlantedModel.Quick() with { Lora = new LoraOptions { Rank = 2, TargetModules = ["query"] } });
        AssertFit(new IntruderOptions { TargetModules = ["value"] }, model.Transform(PlantedModel.Data()), "TargetModules names none of the 2 matrices that were fine-tuned");
    }

    [Fact]
    public void FullFineTuning_UniformOrRank_SaysWhy()
    {
        using var model = PlantedModel.Full();
        AssertFit(new IntruderOptions { Which = RescalingKind.Uniform, Rank = 2 }, model.Transform(PlantedModel.Data()),
            "Which is Uniform, which shrinks the whole change", "Rank is 2, and the model was fine-tuned in full");
    }

    [Fact]
    public void NoModelUpstream_SaysWhereToPlaceIt()
    {
        const string Wanted = "There is no column 'Score', so no fine-tuned model upstream. Append RescaleIntruderDimensions after LoraTextClassification";
        AssertFit(new IntruderOptions(), PlantedModel.Data(), Wanted);
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.Transforms.RescaleIntruderDimensions()).Append(CapitalTask.Trainer(_ml));
        Assert.Contains(Wanted, Assert.ThrowsAny<ArgumentException>(() => pipeline.Fit(CapitalTask.View(_ml, CapitalTask.Rows(10)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ScoreOfAnotherTrainer_HasNoModel()
    {
        var data = PlantedModel.Data();
        var pipeline = _ml.Transforms.Text.FeaturizeText("Features", "Sentence1").Append(_ml.MulticlassClassification.Trainers.NaiveBayes());

        AssertFit(new IntruderOptions(), pipeline.Fit(data).Transform(data), "Column 'Score' has no fine-tuned model behind it: another trainer wrote it");
    }

    [Fact]
    public void ScoreColumnName_OfNothing_NamesTheOneThatHasAModel() =>
        AssertFit(new IntruderOptions { ScoreColumnName = "Label" }, Scored, "Column 'Label' has no fine-tuned model behind it; 'Score' has. Set ScoreColumnName");

    [Fact]
    public void NormalizedScore_HasLostItsModel()
    {
        var normalized = _ml.Transforms.NormalizeMinMax("Score").Fit(Scored).Transform(Scored);
        AssertFit(new IntruderOptions(), normalized, "Column 'Score' was made anew", "Append RescaleIntruderDimensions right after the trainer");
    }

    [Fact]
    public void ConcatenatedScore_HasLostItsModel()
    {
        var pipeline = CapitalTask.Trainer(_ml, options: PlantedModel.Quick()).Append(_ml.Transforms.Concatenate("Score", "Score")).Append(_ml.Transforms.RescaleIntruderDimensions());
        // Before anything is trained.
        var error = Assert.ThrowsAny<ArgumentException>(() => pipeline.Fit(PlantedModel.Data()));
        Assert.Contains("Column 'Score' has no fine-tuned model behind it", error.Message, StringComparison.Ordinal);
        Assert.Contains("right after LoraTextClassification", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TextColumn_Dropped_IsNamed() => AssertFit(new IntruderOptions(), _ml.Transforms.DropColumns("Sentence1").Fit(Scored).Transform(Scored),
        "Column 'Sentence1', which the fine-tuned model reads, was dropped. Append RescaleIntruderDimensions before what drops it");

    [Fact]
    public void TextColumn_Retyped_IsNamed() => AssertFit(new IntruderOptions(), _ml.Transforms.Text.FeaturizeText("Sentence1").Fit(Scored).Transform(Scored),
        "Column 'Sentence1' holds Vector<Single>, and the fine-tuned model read text there");

    [Fact]
    public void TextColumn_Overwritten_IsNamed() => AssertFit(new IntruderOptions(), _ml.Transforms.CopyColumns("Sentence1", "Sentence2").Fit(Scored).Transform(Scored),
        "Column 'Sentence1' was overwritten after the fine-tuned model read it. Append RescaleIntruderDimensions before what writes it anew");

    [Fact]
    public void TextColumn_OverwrittenBeforeTraining_IsTheOneTheModelReads()
    {
        var data = _ml.Transforms.CopyColumns("Sentence1", "Sentence2").Fit(PlantedModel.Data()).Transform(PlantedModel.Data());
        var scored = _planted.Value.Transform(data);

        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(1).Fit(scored);

        Assert.Equal(PlantedModel.Scores(scored), PlantedModel.Scores(rescaling.Transform(scored)));
    }

    [Fact]
    public void TextColumn_DroppedAndMadeAnew_IsNamed()
    {
        var remake = _ml.Transforms.DropColumns("Sentence1").Append(_ml.Transforms.CopyColumns("Sentence1", "Sentence2"));
        AssertFit(new IntruderOptions(), remake.Fit(Scored).Transform(Scored), "Column 'Sentence1' stands behind 'Score', so it is not the one that the fine-tuned model read");
    }

    [Fact]
    public void TextColumn_DroppedOnTheWayToAFittedRescaling_IsNamedThere()
    {
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions().Fit(Scored);
        var dropped = _ml.Transforms.DropColumns("Sentence1").Fit(Scored).Transform(Scored);

        Assert.Contains("was dropped", Assert.ThrowsAny<ArgumentException>(() => rescaling.Transform(dropped)).Message, StringComparison.Ordinal);
        Assert.Contains("was dropped", Assert.ThrowsAny<ArgumentException>(() => rescaling.GetRowToRowMapper(dropped.Schema)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidationSet_WithoutItsColumns_IsRefused() => AssertFit(
        new IntruderOptions { ValidationSet = _ml.Data.LoadFromEnumerable([new { Other = "a" }]) }, Scored, "There is no column 'Label'", "There is no column 'Sentence1'");

    [Fact]
    public void ValidationSet_UnknownClass_IsRefused() => AssertFit(
        new IntruderOptions { ValidationSet = CapitalTask.View(_ml, [new CapitalRow { Label = "dog", Sentence1 = "x" }]) }, Scored, "ValidationSet: 1 rows have a label that training does not know ('dog')");

    [Fact]
    public void AnotherModel_ThanTheOneItWasFittedFor_IsRefused()
    {
        using var other = PlantedModel.Lora(options: PlantedModel.Quick() with { Seed = 77 });
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(0.3).Fit(Scored);

        var error = Assert.Throws<InvalidDataException>(() => PlantedModel.Scores(rescaling.Transform(other.Transform(PlantedModel.Data()))));

        Assert.Contains("was fitted for another fine-tuned model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CancellationToken_Cancelled_StopsTheFit()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => _ml.Transforms.RescaleIntruderDimensions(new IntruderOptions { CancellationToken = cancelled.Token }).Fit(Scored));
    }

    private void AssertFit(IntruderOptions options, IDataView data, params string[] expected)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => _ml.Transforms.RescaleIntruderDimensions(options).Fit(data));
        Assert.All(expected, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
    }
}
