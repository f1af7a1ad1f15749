using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Transforms.Tests.Balancing;

public sealed class BalanceBadInputTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly Lazy<TextClassificationTransformer> _planted = new(() => PlantedModel.Lora());
    private readonly BalanceOptions _options = new() { RetentionTexts = RetentionText.Some };

    private IDataView Scored => _planted.Value.Transform(PlantedModel.Data());

    public void Dispose()
    {
        if (_planted.IsValueCreated) _planted.Value.Dispose();
    }

    [Fact]
    public void Options_SeveralFaults_AreReportedTogether()
    {
        var options = new BalanceOptions
        {
            Strength = -1, ValidationSet = PlantedModel.Data(), Shrinkage = 0, MomentTokens = 0, Rank = 0, TargetModules = [], StrengthGrid = [double.NaN],
            AccuracyTolerance = 2, ScoreColumnName = " ", LabelColumnName = "",
        };

        var error = Assert.Throws<ArgumentException>(() => _ml.Transforms.BalanceRetention(options));

        string[] expected =
        [
            "BalanceRetention: RetentionTexts is empty; give texts", "Strength is -1; use 0 or more", "Strength and ValidationSet are both given", "StrengthGrid holds NaN",
            "AccuracyTolerance is 2", "Shrinkage is 0; use 1e-6 to 1", "MomentTokens is 0", "TargetModules is empty", "Rank is 0", "ScoreColumnName is empty", "LabelColumnName is empty",
        ];
        Assert.All(expected, fault => Assert.Contains(fault, error.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(-0.1)]
    public void Strength_OutOfRange_IsRefused(double strength) => Assert.Contains(
        $"Strength is {strength}; use 0 or more", Assert.Throws<ArgumentException>(() => _ml.Transforms.BalanceRetention(RetentionText.Some, strength)).Message, StringComparison.Ordinal);

    [Fact]
    public void RetentionTexts_NoneOrNull_AreRefused()
    {
        Assert.Contains("RetentionTexts is empty", Assert.Throws<ArgumentException>(() => _ml.Transforms.BalanceRetention([])).Message, StringComparison.Ordinal);
        Assert.Contains("RetentionTexts holds null", Assert.Throws<ArgumentException>(() => _ml.Transforms.BalanceRetention(["a text", null!])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => _ml.Transforms.BalanceRetention((IEnumerable<string>)null!));
    }

    [Fact]
    public void RetentionTexts_TooShort_AreRefused() =>
        AssertFit(_options with { RetentionTexts = ["", "a", "b"] }, Scored, "None of the 3 RetentionTexts has two tokens or more; give sentences or paragraphs.");

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void TaskRows_WithoutText_AreRefused(int count)
    {
        var rows = CapitalTask.Keyed(_ml, Enumerable.Repeat(new CapitalRow { Label = "ant", Sentence1 = " " }, count));
        AssertFit(_options, _planted.Value.Transform(rows), "The input has no rows with text in 'Sentence1'; BalanceRetention learns from the task's rows", "Give it the training data");
    }

    [Fact]
    public void NoModelUpstream_SaysWhereToPlaceIt()
    {
        const string Wanted = "There is no column 'Score', so no fine-tuned model upstream. Append BalanceRetention after LoraTextClassification";
        AssertFit(_options, PlantedModel.Data(), Wanted);
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.Transforms.BalanceRetention(RetentionText.Some)).Append(CapitalTask.Trainer(_ml));
        Assert.Contains(Wanted, Assert.ThrowsAny<ArgumentException>(() => pipeline.Fit(CapitalTask.View(_ml, CapitalTask.Rows(10)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TextColumn_Dropped_IsNamed() => AssertFit(_options, _ml.Transforms.DropColumns("Sentence1").Fit(Scored).Transform(Scored),
        "Column 'Sentence1', which the fine-tuned model reads, was dropped. Append BalanceRetention before what drops it");

    [Fact]
    public void TargetModules_UnknownName_ListsTheKnownOnes() =>
        AssertFit(_options with { TargetModules = ["qury"] }, Scored, "TargetModules 'qury' matches no projection", "query, key, value");

    [Fact]
    public void TargetModules_NotFineTuned_IsRefused()
    {
        using var model = CapitalTask.Fit(options: PlantedModel.Quick() with { Lora = new LoraOptions { Rank = 2, TargetModules = ["query"] } });
        AssertFit(_options with { TargetModules = ["value"] }, model.Transform(PlantedModel.Data()), "TargetModules names none of the 2 matrices that were fine-tuned");
    }

    [Fact]
    public void Rank_OfALora_IsRefused() => AssertFit(_options with { Rank = 2 }, Scored, "Rank is 2, and the model was fine-tuned with LoRA: its change keeps the rank it has");

    [Fact]
    public void ValidationSet_WithoutItsColumns_IsRefused() => AssertFit(
        _options with { ValidationSet = _ml.Data.LoadFromEnumerable([new { Other = "a" }]) }, Scored, "There is no column 'Label'", "There is no column 'Sentence1'");

    [Fact]
    public void ValidationSet_WithoutRows_SaysWhatToSetInstead() => AssertFit(
        _options with { ValidationSet = CapitalTask.View(_ml, []) }, Scored, "ValidationSet has no labelled rows; give some, or set Strength instead.");

    [Fact]
    public void AnotherModel_ThanTheOneItWasFittedFor_IsRefused()
    {
        using var other = PlantedModel.Lora(options: PlantedModel.Quick() with { Seed = 77 });
        using var balancing = _ml.Transforms.BalanceRetention(_options).Fit(Scored);

        var error = Assert.Throws<InvalidDataException>(() => PlantedModel.Scores(balancing.Transform(other.Transform(PlantedModel.Data()))));

        Assert.Contains("BalanceRetention was fitted for another fine-tuned model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARepairUpstreamOfAnotherStrength_ThanTheOneItWasFittedFor_IsRefused()
    {
        using var weak = _ml.Transforms.BalanceRetention(_options with { Strength = 0.1 }).Fit(Scored);
        using var strong = _ml.Transforms.BalanceRetention(_options with { Strength = 2 }).Fit(Scored);
        using var after = _ml.Transforms.RescaleIntruderDimensions(0).Fit(weak.Transform(Scored));
        Assert.Contains(after.Plans, plan => !plan.ChangesNothing);

        var error = Assert.Throws<InvalidDataException>(() => PlantedModel.Scores(after.Transform(strong.Transform(Scored))));

        Assert.Contains("was fitted for another fine-tuned model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CancellationToken_Cancelled_StopsTheFit()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => _ml.Transforms.BalanceRetention(_options with { CancellationToken = cancelled.Token }).Fit(Scored));
    }

    private void AssertFit(BalanceOptions options, IDataView data, params string[] expected)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => _ml.Transforms.BalanceRetention(options).Fit(data));
        Assert.All(expected, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
    }
}
