namespace MLNetLoRA.Evaluation.Tests.Representation;

public sealed class RepresentationDriftDocumentTests
{
    private static readonly RepresentationDriftReport Report = new()
    {
        BaseName = "tiny", Method = "full", States = ComparedStates.FirstToken, Alignments = [double.NaN, 0.95, 0.8], Examples = 40, Width = 32, Texts = 40, Seconds = 1,
    };

    [Fact]
    public void Of_AReport_TellsTheLastLayerAndDrawsTheOthers()
    {
        var document = Report.ToDocument();

        Assert.Equal(
            "After full fine-tuning the states after the last layer have an alignment of 0.8000 with the base's, a drift of 0.2000 (over 40 first tokens of 40 texts).", document.Summary);
        Assert.Contains("linear CKA", Assert.IsType<ReportPicture>(document.Sections[0].Parts.Single()).Svg, StringComparison.Ordinal);
        Assert.Equal(["0", "–", "–"], Assert.IsType<ReportTable>(document.Sections[1].Parts.Single()).Rows[0]);
        Assert.Equal(["2", "0.8000", "0.2000"], Assert.IsType<ReportTable>(document.Sections[1].Parts.Single()).Rows[2]);
    }

    [Fact]
    public void Of_StatesThatAreAllEqual_DrawsNothingAndSaysSo()
    {
        var document = (Report with { Alignments = [double.NaN] }).ToDocument();

        Assert.Empty(document.Sections[0].Parts);
        Assert.Contains("no alignment to tell", document.Summary, StringComparison.Ordinal);
        Assert.Contains("How to read this", document.ToHtml(), StringComparison.Ordinal);
    }
}
