using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Forgetting;

public sealed class ForgettingCatalogTests
{
    private readonly MLContext _ml = new(1);

    public static TheoryData<FineTuningMethod> Methods => [FineTuningMethod.Lora, FineTuningMethod.Full];

    [Theory]
    [MemberData(nameof(Methods))]
    public void EvaluateForgetting_TunedModel_AddsUpByWeight(FineTuningMethod method)
    {
        var report = _ml.Model.EvaluateForgetting(Retention.Tuned(method), Retention.Corpora, Retention.Exact);

        Assert.Equal(["fox", "numbers"], report.Corpora.Select(corpus => corpus.Name));
        Assert.All(report.Corpora, corpus => Assert.Equal(corpus.TunedLoss - corpus.BaseLoss, corpus.Forgetting, 1e-12));
        Assert.Equal(report.Corpora.Sum(corpus => corpus.Weight * corpus.Forgetting), report.Forgetting, 1e-12);
        Assert.Equal(report.Corpora.Sum(corpus => corpus.Weight * corpus.TunedLoss), report.TunedLoss, 1e-12);
        Assert.Equal(report.Corpora.Sum(corpus => corpus.Tokens), report.Positions);
        Assert.All(report.Corpora, corpus => Assert.Equal(0, corpus.StandardError));
        Assert.NotEqual(0, report.Forgetting);
        Assert.Equal(method is FineTuningMethod.Full, report.Retied is not null);
        if (report.Retied is { } retied) Assert.Equal(report.Corpora.Sum(corpus => corpus.Weight * corpus.Retied!.Forgetting), retied.Forgetting, 1e-12);
    }

    [Fact]
    public void EvaluateForgetting_AnyModel_MeasuresTheSameBase()
    {
        var reports = new[] { FineTuningMethod.Lora, FineTuningMethod.Full }
            .Select(method => _ml.Model.EvaluateForgetting(Retention.Tuned(method), Retention.Corpora, new ForgettingOptions { Positions = 100 })).ToList();

        Assert.Equal(reports[0].BaseLoss, reports[1].BaseLoss);
        Assert.NotEqual(reports[0].TunedLoss, reports[1].TunedLoss);
        Assert.All(reports, report => Assert.Equal([75, 25], report.Corpora.Select(corpus => corpus.Positions)));
    }

    /// <summary>Steps of 1e-30 are lost beside any weight that is not zero.</summary>
    [Theory]
    [MemberData(nameof(Methods))]
    public void EvaluateForgetting_ModelThatDidNotChange_IsExactlyZero(FineTuningMethod method)
    {
        using var model = Retention.Fit(method, options => options with { LearningRate = 1e-30 });

        var report = _ml.Model.EvaluateForgetting(model, Retention.Corpora, new ForgettingOptions { Positions = 200 });

        Assert.Equal((0, 0, new ConfidenceInterval(0, 0)), (report.Forgetting, report.StandardError, report.Interval));
        Assert.All(report.Corpora, corpus => Assert.Equal((0, corpus.BaseLoss), (corpus.Forgetting, corpus.TunedLoss)));
    }

    [Fact]
    public void EvaluateForgetting_Sampled_CoversTheExactValueAsOftenAsItSays()
    {
        var model = Retention.Tuned(FineTuningMethod.Full);
        var exact = _ml.Model.EvaluateForgetting(model, Retention.Corpora, Retention.Exact);

        var sampled = Enumerable.Range(0, 100).Select(seed =>
            _ml.Model.EvaluateForgetting(model, Retention.Corpora, new ForgettingOptions { Positions = 160, MaxTokens = 40, Seed = seed })).ToList();

        Assert.InRange(sampled.Count(report => report.Interval.Lower <= exact.Forgetting && exact.Forgetting <= report.Interval.Upper), 90, 100);
        // Unbiased: the mean of 100 is within four of its standard errors, and the spread is what each said of itself.
        var error = sampled.Average(report => report.StandardError);
        Assert.InRange(sampled.Average(report => report.Forgetting), exact.Forgetting - (0.4 * error), exact.Forgetting + (0.4 * error));
        var spread = Math.Sqrt(sampled.Average(report => Math.Pow(report.Forgetting - exact.Forgetting, 2)));
        Assert.InRange(spread / error, 0.75, 1.3);
    }

    [Fact]
    public void EvaluateForgetting_TextsAlone_AreOneCorpusLikeAColumn()
    {
        var model = Retention.Tuned(FineTuningMethod.Lora);
        var options = new ForgettingOptions { Positions = 50 };
        var data = _ml.Data.LoadFromEnumerable(Retention.Texts.Select(text => new { Story = text }));

        var (texts, column) = (_ml.Model.EvaluateForgetting(model, Retention.Texts, options), _ml.Model.EvaluateForgetting(model, data, "Story", options));

        Assert.Equal((RetentionCorpus.DefaultName, 1.0), (texts.Corpora.Single().Name, texts.Corpora[0].Weight));
        Assert.Equal((texts.BaseLoss, texts.Forgetting, texts.StandardError), (column.BaseLoss, column.Forgetting, column.StandardError));
        var error = Assert.Throws<ArgumentException>(() => _ml.Model.EvaluateForgetting(model, data, "Stories", options));
        Assert.Contains("no text column 'Stories'; the data has 'Story'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EvaluateForgetting_RescaledChain_MeasuresTheCorrectedModel()
    {
        using var folder = new TemporaryFolder();
        var model = Retention.Tuned(FineTuningMethod.Lora);
        var scored = model.Transform(CapitalTask.Keyed(_ml, CapitalTask.Rows(4)));
        // Whatever leads counts as an intruder.
        using var rescaling = _ml.Transforms.RescaleIntruderDimensions(
            new IntruderOptions { Scale = 0.5, Which = RescalingKind.All, Epsilon = 0.99 }).Fit(scored);
        var chain = new TransformerChain<ITransformer>(model, rescaling);
        _ml.Model.SaveAdapter(chain, folder.FullName);

        var (before, after) = (_ml.Model.EvaluateForgetting(model, Retention.Corpora, Retention.Exact), _ml.Model.EvaluateForgetting(chain, Retention.Corpora, Retention.Exact));

        Assert.Equal(before.BaseLoss, after.BaseLoss);
        Assert.True(Math.Abs(before.Forgetting - after.Forgetting) > 1e-3);
        Assert.Equal(after.Forgetting, ForgettingEvaluation.OfAdapter(CapitalTask.Base, folder.FullName, Retention.Corpora, Retention.Exact).Forgetting, 1e-5);
    }

    [Fact]
    public void EvaluateForgetting_ReloadedModel_IsTheSameAndWithoutItsBaseAsksForIt()
    {
        using var folder = new TemporaryFolder();
        var options = new ForgettingOptions { Positions = 60 };
        using var alone = Retention.Fit(FineTuningMethod.Full, options => options with { BaseStorage = BaseStorage.TunedOnly });
        _ml.Model.Save(Retention.Tuned(FineTuningMethod.Lora), null, folder.File("whole.mlnet"));
        _ml.Model.Save(alone, null, folder.File("alone.mlnet"));
        using var whole = (TextClassificationTransformer)_ml.Model.Load(folder.File("whole.mlnet"), out _);
        using var orphan = (TextClassificationTransformer)_ml.Model.Load(folder.File("alone.mlnet"), out _);

        var expected = _ml.Model.EvaluateForgetting(Retention.Tuned(FineTuningMethod.Lora), Retention.Texts, options);
        var found = _ml.Model.EvaluateForgetting(whole, Retention.Texts, options);
        var error = Assert.Throws<InvalidOperationException>(() => _ml.Model.EvaluateForgetting(orphan, Retention.Texts, options));

        Assert.Equal((expected.BaseLoss, expected.TunedLoss), (found.BaseLoss, found.TunedLoss));
        Assert.Contains("BaseModel", error.Message, StringComparison.Ordinal);
        Assert.Equal(
            _ml.Model.EvaluateForgetting(alone, Retention.Texts, options with { BaseModel = CapitalTask.Base }).Forgetting,
            _ml.Model.EvaluateForgetting(orphan, Retention.Texts, options with { BaseModel = CapitalTask.Base }).Forgetting);
    }

    [Fact]
    public void EvaluateForgetting_BadInput_IsNamedAllTogether()
    {
        var model = Retention.Tuned(FineTuningMethod.Lora);
        var faulty = new ForgettingOptions { Measure = (RetentionMeasure)7, Positions = 3, MaxTokens = 1000, BatchSize = 0, Device = "tpu", ScoreColumnName = "Score" };
        var mapping = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(CapitalTask.View(_ml, CapitalTask.Rows(5)));

        var message = Message(() => _ml.Model.EvaluateForgetting(model, Retention.Corpora, faulty));

        Assert.All(
            ["Measure is 7", "Positions is 3; use 2 or more for each corpus (here 2", "MaxTokens is 1000", "BatchSize is 0", "Device is 'tpu'"],
            fault => Assert.Contains(fault, message, StringComparison.Ordinal));
        Assert.Contains("ScoreColumnName is empty", Message(() => _ml.Model.EvaluateForgetting(model, Retention.Texts, new ForgettingOptions { ScoreColumnName = "" })), StringComparison.Ordinal);
        Assert.Contains("holds no text", Message(() => _ml.Model.EvaluateForgetting(model, Array.Empty<string>())), StringComparison.Ordinal);
        Assert.Contains("fewer than 2 tokens", Message(() => _ml.Model.EvaluateForgetting(model, ["a fine text", "x"])), StringComparison.Ordinal);
        Assert.Contains("holds no fine-tuned text classifier", Message(() => _ml.Model.EvaluateForgetting(mapping, Retention.Texts)), StringComparison.Ordinal);

        static string Message(Action act) => Assert.ThrowsAny<ArgumentException>(act).Message;
    }

    [Fact]
    public void EvaluateForgetting_Progress_CountsBothStatesAndStops()
    {
        using var stop = new CancellationTokenSource();
        var seen = new List<ForgettingProgress>();
        var progress = new Reporter(seen.Add);
        var options = new ForgettingOptions { Positions = 70, Progress = progress };

        _ml.Model.EvaluateForgetting(Retention.Tuned(FineTuningMethod.Lora), Retention.Texts, options);

        Assert.Equal((140, 140, 6), (seen[^1].Positions, seen[^1].TotalPositions, seen.Count));        // 70 in batches of 32, twice
        var stopping = options with { Progress = new Reporter(_ => stop.Cancel()), CancellationToken = stop.Token };
        Assert.ThrowsAny<OperationCanceledException>(() => _ml.Model.EvaluateForgetting(Retention.Tuned(FineTuningMethod.Lora), Retention.Texts, stopping));
    }

    [Fact]
    public void ToJson_Report_HasTheFieldsPromised()
    {
        var report = _ml.Model.EvaluateForgetting(Retention.Tuned(FineTuningMethod.Lora), Retention.Corpora, new ForgettingOptions { Positions = 80, Seed = 5 });

        var json = JsonDocument.Parse(report.ToJson()).RootElement;

        Assert.Equal("sampled", json.GetProperty("measure").GetString());
        Assert.Equal((80, report.Forgetting), (json.GetProperty("positions").GetInt32(), json.GetProperty("forgetting").GetDouble()));
        Assert.Superset(
            new HashSet<string> { "name", "weight", "tokens", "base_loss", "tuned_loss", "forgetting", "standard_error" },
            json.GetProperty("corpora")[1].EnumerateObject().Select(property => property.Name).ToHashSet());
        Assert.Equal(report.Corpora[1].BaseLoss, json.GetProperty("corpora")[1].GetProperty("base_loss").GetDouble());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("retied").ValueKind);
    }

    [Fact]
    public void ToMarkdown_Report_IsATableWhateverTheNames()
    {
        var report = _ml.Model.EvaluateForgetting(
            Retention.Tuned(FineTuningMethod.Lora), [new RetentionCorpus("a|b", Retention.Texts)], new ForgettingOptions { Positions = 80 });

        var rows = report.ToMarkdown().Split('\n').Where(line => line.StartsWith('|')).ToList();

        Assert.Equal(4, rows.Count);
        Assert.All(rows, row => Assert.Equal(11, row.Replace("\\|", "", StringComparison.Ordinal).Count(letter => letter == '|')));
        Assert.StartsWith("| total |", rows[^1], StringComparison.Ordinal);
    }

    private sealed class Reporter(Action<ForgettingProgress> hear) : IProgress<ForgettingProgress>
    {
        public void Report(ForgettingProgress value) => hear(value);
    }
}
