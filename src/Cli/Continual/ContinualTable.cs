using Spectre.Console;
using Spectre.Console.Rendering;
using static System.FormattableString;

namespace MLNetLoRA.Cli.Continual;

/// <summary>A run through several tasks for the reader at the terminal.</summary>
internal static class ContinualTable
{
    public static IRenderable Of(ContinualLearningReport report)
    {
        var table = new Table().AddColumn(new TableColumn(new Text("Accuracy after")));
        foreach (var task in report.Tasks) table.AddColumn(new TableColumn(new Text(task.Name)).RightAligned());
        table.AddColumn(new TableColumn(new Text("Intruders")).RightAligned());
        foreach (var (row, accuracies) in report.Accuracies.Index())
        {
            var stage = row == 0 ? null : report.Stages[row - 1];
            table.AddRow([
                new Text(stage?.TaskName ?? "(base)"), .. accuracies.Select(accuracy => new Text(Invariant($"{accuracy:F4}"))),
                new Text(stage is null ? "" : Invariant($"{stage.IntruderCount}")),
            ]);
        }
        return new Rows(table, new Text(Invariant(
            $"Average accuracy {report.AverageAccuracy:F4}, forgetting {report.AverageForgetting:+0.0000;-0.0000;0.0000}, backward transfer {report.BackwardTransfer:+0.0000;-0.0000;0.0000}, forward transfer {report.ForwardTransfer:+0.0000;-0.0000;0.0000}")));
    }
}
