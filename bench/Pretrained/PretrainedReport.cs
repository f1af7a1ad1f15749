using System.Text;
using MathNet.Numerics.Statistics;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary>The study as a table: mean ± standard deviation over seeds.</summary>
internal static class PretrainedReport
{
    public static string Markdown(
        PretrainedModel model, IReadOnlyList<ClassificationTask> tasks, IReadOnlyList<Contender> contenders, IReadOnlyList<int> seeds,
        IReadOnlyList<Measurement> measurements)
    {
        var text = new StringBuilder();
        text.AppendLine($"# What pretraining is worth: {model.Name}\n");
        text.AppendLine("`dotnet run -c Release --project bench -- pretrained --data DIR`\n");
        text.AppendLine($"Test accuracy, mean ± standard deviation over seeds {string.Join(", ", seeds)}; every option but the seed at its default, on the CPU. "
            + $"Base weights {model.ContentHash[..12]}….\n");
        text.AppendLine($"| | {string.Join(" | ", tasks.Select(task => task.Title))} |");
        text.AppendLine($"|---|{string.Concat(tasks.Select(_ => "---:|"))}");
        foreach (var contender in contenders)
            text.AppendLine($"| {contender.Title} | {string.Join(" | ", tasks.Select(task => Cell(task, contender)))} |");
        return text.ToString();

        string Cell(ClassificationTask task, Contender contender)
        {
            var accuracies = measurements.Where(m => m.Task == task.Name && m.Contender == contender.Name).Select(m => m.Accuracy).ToArray();
            return accuracies.Length == 1 ? $"{accuracies[0]:F3}" : $"{accuracies.Mean():F3} ± {accuracies.StandardDeviation():F3}";
        }
    }
}
