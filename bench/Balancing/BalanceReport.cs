using System.Text;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>The study as a table: means over seeds, and 95 % intervals of Student's t.</summary>
internal static class BalanceReport
{
    private static readonly double[] Shares = [0.98, 0.95, 0.9];

    public static string Markdown(PretrainedModel model, IReadOnlyList<BalanceTask> tasks, IReadOnlyList<TunedBy> methods, IReadOnlyList<BalanceRun> runs, string settings)
    {
        var text = new StringBuilder();
        text.AppendLine($"# Balanced repair against uniform shrinking: {model.Name}\n");
        text.AppendLine("`dotnet run -c Release --project bench -- balance --data DIR`\n");
        text.AppendLine(
            "Forgetting is the pseudo-log-likelihood loss on retention text less the base's, in nats per token; the repair saw other retention text. "
            + "Balanced: rising μ. Uniform: the whole change times a falling factor. Both are compared at equal test accuracy, by interpolation, where "
            + $"{string.Join(", ", Shares.Select(share => $"{share:P0}"))} of what fine-tuning brought is left. Less: by how much the balanced model has "
            + $"forgotten less there, mean over seeds with its 95 % interval, and as a share of what the uniform one has forgotten. {settings} Base weights {model.ContentHash[..12]}….\n");
        text.AppendLine($"| task | tuned by | accuracy | forgetting |{string.Concat(Shares.Select(share => $" uniform at {share:P0} | balanced | less |"))}");
        text.AppendLine($"|---|---|---:|---:|{string.Concat(Shares.Select(_ => "---:|---:|---:|"))}");
        foreach (var task in tasks)
            foreach (var method in methods)
                text.AppendLine(Line($"| {task.Title} | {method.Title} |", [.. runs.Where(run => run.Task == task.Name && run.TunedBy == method.Name)]));
        text.AppendLine(Line("| all | all |", runs));
        return text.ToString();
    }

    private static string Line(string start, IReadOnlyList<BalanceRun> runs) =>
        $"{start} {runs.Average(run => run.Accuracy):F3} | {runs.Average(run => run.Forgetting):F3} |" + string.Concat(Shares.Select(share => Cells(runs, share)));

    private static string Cells(IReadOnlyList<BalanceRun> runs, double share)
    {
        var uniform = runs.Average(run => run.Uniform.ForgettingAt(run.AccuracyAt(share)));
        var balanced = runs.Average(run => run.Balanced.ForgettingAt(run.AccuracyAt(share)));
        return $" {uniform:F3} | {balanced:F3} | {Interval([.. runs.Select(run => run.LeadAt(share))])} ({(uniform - balanced) / uniform:P0}) |";
    }

    private static string Interval(double[] leads)
    {
        if (leads.Length < 2) return $"{leads[0]:F3}";
        var half = StudentT.InvCDF(0, 1, leads.Length - 1, 0.975) * leads.StandardDeviation() / Math.Sqrt(leads.Length);
        return $"{leads.Mean():F3} ± {half:F3}";
    }
}
