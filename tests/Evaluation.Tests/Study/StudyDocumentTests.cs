using System.Text.Json;

namespace MLNetLoRA.Evaluation.Tests.Study;

public sealed class StudyDocumentTests
{
    private static readonly StudyReport Report = Studies.Of(
    [
        .. from seed in new[] { 1, 2 }
           from rate in new[] { 1, 2, 3 }
           from run in new[]
           {
               Studies.Made(StudyTuning.Full, rate * 1e-4, seed, 0.7 + (0.02 * rate), 0.1 * rate, 0, rate, 100),
               Studies.Made(StudyTuning.Lora(8), rate * 1e-3, seed, 0.7 + (0.02 * rate), 0.05 * rate, 4 * rate, rate, 7),
               Studies.Made(StudyTuning.Lora(8, trainsOnlyB: true), rate * 1e-3, seed, 0.7, 0.05 * rate, rate, rate, 7),
           }
           select run,
    ]);

    [Fact]
    public void ToDocument_OfAStudy_HasEveryClaimAndEveryPoint()
    {
        var document = Report.ToDocument();

        Assert.Equal("Fine-tuning nobody in 3 ways", document.Title);
        Assert.StartsWith("18 trainings of nobody.", document.Summary, StringComparison.Ordinal);
        var tables = document.Sections.SelectMany(section => section.Parts).OfType<ReportTable>().ToList();
        Assert.Equal(Report.Claims.Select(claim => claim.Name), tables[0].Rows.Select(row => row[0]));
        Assert.Equal(9, tables[1].Rows.Count);
        Assert.Equal("0.720 ± 0.000", tables[1].Rows[0][3]);
        Assert.Equal(2, tables[2].Rows.Count);
        Assert.All(tables, table => Assert.All(table.Rows, row => Assert.Equal(table.Columns.Count, row.Count)));
        Assert.Equal(7, document.Sections.SelectMany(section => section.Parts).OfType<ReportPicture>().Count());
    }

    [Fact]
    public void ToMarkdown_OfAStudy_HasTablesAndNoPictures()
    {
        var markdown = Report.ToMarkdown();

        Assert.Contains("| LoRA r 8, α 16 | 0.003 | 2 |", markdown, StringComparison.Ordinal);
        Assert.DoesNotContain("Pictures", markdown, StringComparison.Ordinal);
    }

    [Fact]
    public void ToJson_OfAStudy_HoldsTheNumbersWithoutSingleMatrices()
    {
        var json = JsonDocument.Parse(Report.ToJson()).RootElement;

        Assert.Equal(
            "setup claims points at_equal_accuracy correlations runs failures seconds", string.Join(' ', json.EnumerateObject().Select(field => field.Name)));
        var run = json.GetProperty("runs")[1];
        Assert.Equal(("lora", 8, 16.0), (run.GetProperty("tuning").GetProperty("method").GetString(), run.GetProperty("tuning").GetProperty("rank").GetInt32(), run.GetProperty("tuning").GetProperty("alpha").GetDouble()));
        Assert.Equal(4, run.GetProperty("intruders").GetInt32());
        Assert.Equal(0, run.GetProperty("matrices").GetArrayLength());
        Assert.Contains(json.GetProperty("claims").EnumerateArray(), claim => claim.GetProperty("verdict").GetString() == "not-measurable");
    }

    [Fact]
    public void ToDocument_OfOneRun_HasPicturesThatCanBeDrawn() =>
        Assert.Contains("<svg", Studies.Of(Studies.Made(StudyTuning.Lora(4), 1e-3, 1, 0.5, 0, 0)).ToDocument().ToHtml(), StringComparison.Ordinal);
}
