using System.Text.Json;
using MLNetLoRA.Evaluation.Tests.Reporting;

namespace MLNetLoRA.Evaluation.Tests.ContinualLearning;

public sealed class ContinualLearningDocumentTests
{
    private static readonly ContinualLearningReport Report =
        ContinualLearningReportTests.Report([0.30, 0.40, 0.50], [0.90, 0.45, 0.40], [0.95, 0.80, 0.60], [0.70, 0.75, 0.85]);

    [Fact]
    public void Of_ARunThatForgot_SaysSoInPlainWords() => Assert.Equal(
        "After task 1 → task 2 → task 3 by LoRA of rank 8, merged after each task, base has an average accuracy of 0.767; it lost 0.150 of accuracy on average on the "
        + "tasks before the last, and its weights hold no intruder dimension against the original base.",
        Report.ToDocument().Summary);

    [Fact]
    public void Of_OtherRuns_SayWhatWasDoneAndFound()
    {
        var kept = ContinualLearningReportTests.Report([0.5, 0.5], [0.7, 0.5], [0.7, 0.8]);
        var gained = ContinualLearningReportTests.Report([0.5, 0.5], [0.7, 0.5], [0.8, 0.8]);
        var intruders = kept with { Stages = [kept.Stages[0], kept.Stages[1] with { Matrices = [ReportPicturesTests.Finding("a.layer.0.query", 1)] }] };

        Assert.Contains("it forgot nothing of the tasks before the last", kept.ToDocument().Summary, StringComparison.Ordinal);
        Assert.Contains("gained 0.100 of accuracy", gained.ToDocument().Summary, StringComparison.Ordinal);
        Assert.Contains("hold 1 intruder dimension against", intruders.ToDocument().Summary, StringComparison.Ordinal);
        Assert.Contains("by full fine-tuning,", (kept with { Lora = null }).ToDocument().Summary, StringComparison.Ordinal);
        Assert.Contains("one adapter a task", (kept with { Adapters = AdapterHandling.Apart }).ToDocument().Summary, StringComparison.Ordinal);
        Assert.Contains("and repaired by Shrinking", (kept with { Repair = "Shrinking" }).ToDocument().Summary, StringComparison.Ordinal);
        Assert.Equal(4, intruders.ToDocument().Sections[0].Parts.Count);
    }

    [Fact]
    public void ToJson_AnyReport_HasTheMatrixAndTheMeasures()
    {
        var json = JsonDocument.Parse(Report.ToJson()).RootElement;

        Assert.Equal(("base", "lora", "merge"), (json.GetProperty("base").GetString(), json.GetProperty("method").GetString(), json.GetProperty("adapters").GetString()));
        Assert.Equal(3, json.GetProperty("accuracy_matrix").GetArrayLength());
        Assert.Equal(0.60, json.GetProperty("accuracy_matrix")[1][2].GetDouble());
        Assert.Equal(0.50, json.GetProperty("base_accuracies")[2].GetDouble());
        Assert.Equal(0.15, json.GetProperty("average_forgetting").GetDouble(), 12);
        Assert.Equal(-0.125, json.GetProperty("backward_transfer").GetDouble(), 12);
        Assert.Equal(0.075, json.GetProperty("forward_transfer").GetDouble(), 12);
        Assert.Equal((0, "task 2"), (json.GetProperty("stages")[1].GetProperty("intruders").GetInt32(), json.GetProperty("stages")[1].GetProperty("task").GetString()));
        Assert.Equal(16, json.GetProperty("lora").GetProperty("alpha").GetDouble());
    }
}
