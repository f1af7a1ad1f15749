using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests;

/// <summary>Which ways the model goes with its scores, and which not.</summary>
[Collection(ProcessWide.Name)]
public sealed class FineTunedModelAnnotationTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly TextClassificationTransformer _model = CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 });
    private readonly IDataView _scored;

    public FineTunedModelAnnotationTests() => _scored = _model.Transform(CapitalTask.Keyed(_ml, CapitalTask.Rows(8)));

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Score_OfAFineTunedModel_LeadsToIt()
    {
        Assert.Same(_model, Model(_scored.Schema["Score"]));
        Assert.False(FineTunedModelAnnotation.IsOn(_scored.Schema["PredictedLabel"]));
        Assert.Same(_model, Model(_model.GetRowToRowMapper(CapitalTask.Keyed(_ml, CapitalTask.Rows(1)).Schema).OutputSchema["Score"]));
    }

    [Fact]
    public void Score_ThroughWhatKeepsIt_StillLeadsToTheModel()
    {
        IEstimator<ITransformer>[] keeping =
        [
            _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"), _ml.Transforms.CopyColumns("Score2", "Score"), _ml.Transforms.SelectColumns("Sentence1", "Score"),
            _ml.Transforms.DropColumns("Sentence1"), _ml.Transforms.NormalizeMinMax("Normal", "Score"), _ml.Transforms.Concatenate("Both", "Score", "Score"),
        ];

        Assert.All(keeping, estimator => Assert.Same(_model, Model(estimator.Fit(_scored).Transform(_scored).Schema["Score"])));
        Assert.Same(_model, Model(_ml.Data.Cache(_scored).Schema["Score"]));
        Assert.Same(_model, Model(_ml.Data.TakeRows(_ml.Data.ShuffleRows(_scored), 2).Schema["Score"]));
        Assert.Same(_model, Model(_ml.Transforms.CopyColumns("Score2", "Score").Fit(_scored).Transform(_scored).Schema["Score2"]));
    }

    [Fact]
    public void Score_MadeAnew_LeadsNowhere()
    {
        foreach (var estimator in new IEstimator<ITransformer>[] { _ml.Transforms.NormalizeMinMax("Score"), _ml.Transforms.Concatenate("Score", "Score", "Score") })
            Assert.False(FineTunedModelAnnotation.IsOn(estimator.Fit(_scored).Transform(_scored).Schema["Score"]));
    }

    [Fact]
    public void Folds_OfACrossValidation_LeadToTheirOwnModels()
    {
        var folds = _ml.MulticlassClassification.CrossValidate(
            CapitalTask.Keyed(_ml, CapitalTask.Rows(40)), CapitalTask.Trainer(_ml, options: CapitalTask.Options with { MaxEpochs = 1 }), numberOfFolds: 2);

        Assert.All(folds, fold => Assert.Same(fold.Model, Model(fold.ScoredHoldOutSet.Schema["Score"])));
        foreach (var fold in folds) ((IDisposable)fold.Model).Dispose();
    }

    [Fact]
    public void Shape_OfATrainerNotYetFitted_SaysWhatTheSchemaWill()
    {
        var shape = CapitalTask.Trainer(_ml).GetOutputSchema(SchemaShape.Create(CapitalTask.Keyed(_ml, CapitalTask.Rows(1)).Schema));
        Assert.True(shape.TryFindColumn("Score", out var promised));
        Assert.True(SchemaShape.Create(_scored.Schema).TryFindColumn("Score", out var found));

        Assert.True(FineTunedModelAnnotation.IsOn(promised));
        Assert.True(FineTunedModelAnnotation.IsOn(found));
    }

    /// <summary>A data file cannot hold a model, and need not.</summary>
    [Fact]
    public void SaveAsBinary_ScoredData_WritesTheScoresWithoutTheModel()
    {
        using var folder = new TemporaryFolder();
        using (var stream = File.Create(folder.File("scored.idv"))) _ml.Data.SaveAsBinary(_scored, stream);

        var read = _ml.Data.LoadFromBinary(folder.File("scored.idv"));

        Assert.Equal(_scored.GetColumn<float[]>("Score"), read.GetColumn<float[]>("Score"));
        Assert.False(FineTunedModelAnnotation.IsOn(read.Schema["Score"]));
    }

    [Fact]
    public void IsOverwritten_AColumnOfTheSameNameAdded_IsSeen()
    {
        var overwritten = _ml.Transforms.CopyColumns("Sentence1", "Sentence2").Fit(_scored).Transform(_scored).Schema;

        Assert.True(FineTunedModelAnnotation.Reference(overwritten["Score"]).IsOverwritten("Sentence1", overwritten));
        Assert.False(FineTunedModelAnnotation.Reference(_scored.Schema["Score"]).IsOverwritten("Sentence1", _scored.Schema));
    }

    [Fact]
    public void Schema_AloneKept_LetsTheModelAndTheBaseGo()
    {
        _model.Dispose();
        LiveTensors.Settled();
        var held = Modeling.SharedWeights.HeldCount;

        var schema = Forget();
        LiveTensors.Settled();

        Assert.Null(Model(schema["Score"]));
        Assert.Equal(held, Modeling.SharedWeights.HeldCount);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private DataViewSchema Forget() => CapitalTask.Fit(options: CapitalTask.Options with { MaxEpochs = 1 }).GetOutputSchema(CapitalTask.Keyed(_ml, CapitalTask.Rows(1)).Schema);

    private static IFineTunedModel? Model(DataViewSchema.Column column) => FineTunedModelAnnotation.Reference(column).Model;
}
