using MLNetLoRA.Testing;

namespace MLNetLoRA.Evaluation.Tests.Forgetting;

/// <summary>Tiny fine-tuned models and text for them to forget.</summary>
internal static class Retention
{
    public static readonly RetentionCorpus[] Corpora =
    [
        new("fox", [.. Enumerable.Range(0, 20).Select(n => $"Story {n} tells of a fox that ran {n * n} miles through the snow.")], 0.75),
        new("numbers", [.. Enumerable.Range(0, 30).Select(n => $"{n}, {n + 1}, {n + 2}: three in a row")], 0.25),
    ];

    public static readonly string[] Texts = [.. Corpora[0].Texts];

    public static ForgettingOptions Exact { get; } = new() { Measure = RetentionMeasure.Exact, MaxTokens = 40 };

    private static readonly Lazy<TextClassificationTransformer> TunedLora = new(() => Fit(FineTuningMethod.Lora));
    private static readonly Lazy<TextClassificationTransformer> TunedFull = new(() => Fit(FineTuningMethod.Full));

    /// <summary>Shared by all tests; never disposed.</summary>
    public static TextClassificationTransformer Tuned(FineTuningMethod method) => (method is FineTuningMethod.Lora ? TunedLora : TunedFull).Value;

    public static TextClassificationTransformer Fit(FineTuningMethod method, Func<TextClassificationOptions, TextClassificationOptions>? change = null)
    {
        var options = CapitalTask.Options with { MaxEpochs = 2 };
        return CapitalTask.Fit(method, change?.Invoke(options) ?? options, CapitalTask.Rows(32));
    }
}
