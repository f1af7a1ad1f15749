namespace MLNetLoRA.Evaluation.Tests.Probing;

public sealed class RetentionTaskDocumentTests
{
    [Theory]
    [InlineData(0.80, 0.70, 0.02, "of 0.800 on the base's trunk and 0.700 after LoRA: 0.100 ± 0.020 was lost.")]
    [InlineData(0.70, 0.80, 0.02, "0.100 ± 0.020 was gained.")]
    [InlineData(0.80, 0.77, 0.02, "a difference that cannot be told from nothing (0.030 ± 0.020).")]
    public void Of_TwoHeads_SaysWhatWasLost(double before, double after, double error, string expected)
    {
        var document = new RetentionTaskReport
        {
            BaseName = "tiny", Method = "lora", ClassNames = ["a", "b", "c"], TrainingRows = 90, TestRows = 60, Base = new(before, 0.79, 0.5, 0.4), Tuned = new(after, 0.69, 0.6, 0.45),
            StandardError = error, Seconds = 1,
        }.ToDocument();

        Assert.EndsWith(expected, document.Summary, StringComparison.Ordinal);
        var table = Assert.IsType<ReportTable>(document.Sections[0].Parts.Single());
        Assert.Equal(["fine-tuned", $"{after:F3}", "0.690", "0.600", "0.450"], table.Rows[1]);
        Assert.EndsWith("3 classes, 90 training rows, 60 test rows.", table.Caption, StringComparison.Ordinal);
    }
}
