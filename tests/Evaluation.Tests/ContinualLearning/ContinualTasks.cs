using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.ContinualLearning;

/// <summary>Two tasks that a tiny network learns in seconds: which capital, and which digit, stands among the letters.</summary>
internal static class ContinualTasks
{
    public static ContinualTask Capitals(MLContext ml) => new("capitals", View(ml, CapitalTask.Rows(96, 1)), View(ml, CapitalTask.Rows(60, 2)));

    public static ContinualTask Digits(MLContext ml) => new("digits", View(ml, DigitRows(96, 3)), View(ml, DigitRows(60, 4)));

    public static ContinualTask[] Both(MLContext ml) => [Capitals(ml), Digits(ml)];

    public static ContinualLearningOptions Options { get; } = new()
    {
        Training = CapitalTask.Options with { MaxEpochs = 4 },
        Head = new FreshHeadOptions { MaxEpochs = 20, LearningRate = 5e-3 },
    };

    public static IDataView View(MLContext ml, IEnumerable<CapitalRow> rows) => CapitalTask.View(ml, rows);

    // The same letters with a digit in place of the capital.
    private static IEnumerable<CapitalRow> DigitRows(int count, int seed) => CapitalTask.Rows(count, seed).Select(row => new CapitalRow
    {
        Label = $"digit {row.Label}",
        Sentence1 = row.Sentence1.Replace('A', '1').Replace('B', '2').Replace('C', '3'),
    });
}
