namespace MLNetLoRA.Evaluation.Tests.Forgetting;

public sealed class ForgettingDocumentTests
{
    private static readonly ForgettingReport Report = new()
    {
        BaseName = "tiny", Measure = RetentionMeasure.Sampled, Positions = 1500, MaxTokens = 128, Seed = 3, BaseLoss = 2, TunedLoss = 2.25, Forgetting = 0.25,
        StandardError = 0.05, Interval = new(0.15, 0.35), Seconds = 1,
        Corpora =
        [
            new() { Name = "wiki", Weight = 0.75, Tokens = 20000, Positions = 1125, BaseLoss = 2, TunedLoss = 2.25, Forgetting = 0.25, StandardError = 0.05, Interval = new(0.15, 0.35) },
        ],
    };

    [Theory]
    [InlineData(0.15, 0.35, "by fine-tuning: the model forgot (0.2500 ± 0.0500, 95 % interval 0.1500 to 0.3500).")]
    [InlineData(-0.15, 0.35, "by fine-tuning, which cannot be told from nothing (0.2500 ± 0.0500, 95 % interval -0.1500 to 0.3500).")]
    [InlineData(-0.35, -0.15, "the model forgot nothing, it gained")]
    [InlineData(0, 0, "nothing changed.")]
    public void Of_AnInterval_SaysWhetherSomethingWasForgotten(double lower, double upper, string expected)
    {
        var summary = (Report with { Interval = new(lower, upper) }).ToDocument().Summary;

        Assert.StartsWith("The loss on retention text went from 2.0000 to 2.2500 nats per token", summary, StringComparison.Ordinal);
        Assert.Contains(expected, summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_AReport_TellsCorporaAndHowTheyWereRead()
    {
        var document = (Report with { Retied = new LossChange(2.5, 0.5, 0.1, new(0.3, 0.7)) }).ToDocument();

        var table = Assert.IsType<ReportTable>(document.Sections[0].Parts[0]);
        Assert.Equal(["wiki", "0.750", "20,000", "1,125", "2.0000", "2.2500", "0.2500", "0.0500", "0.1500", "0.3500"], table.Rows[0]);
        Assert.Equal(("total", "1,500"), (table.Rows[1][0], table.Rows[1][3]));
        var markdown = document.ToMarkdown();
        Assert.Contains("the loss is 2.5000 and the forgetting 0.5000 ± 0.1000", markdown, StringComparison.Ordinal);
        Assert.Contains("1500 tokens were drawn with seed 3, in windows of up to 128", markdown, StringComparison.Ordinal);
    }
}
