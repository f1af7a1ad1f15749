using System.Text.RegularExpressions;

namespace MLNetLoRA.Cli;

/// <summary>The libraries name their own options; here each has the name that was typed.</summary>
internal static partial class OptionNames
{
    private static readonly (string Option, string Typed)[] Names =
    [
        ("Lora.Rank", "--rank"), ("Lora.Alpha", "--alpha"), ("Lora.Dropout", "--lora-dropout"), ("Lora.TargetModules", "--targets"),
        ("Lora.Initialization", "--lora-init"), ("Lora.FreezesA", "--freeze-a"),
        ("TargetModules", "--targets"), ("MaxEpochs", "--epochs"), ("BatchSize", "--batch-size"), ("LearningRate", "--learning-rate"),
        ("MaxTokens", "--max-tokens"), ("MaskedShare", "--masked-share"), ("CausalShare", "--causal-share"), ("BagOfWordsWeight", "--bag-of-words"), ("WholeWordMasking", "--whole-word"),
        ("WarmupRatio", "--warmup"), ("WeightDecay", "--weight-decay"), ("GradientAccumulationSteps", "--gradient-accumulation"),
        ("MaxSteps", "--max-steps"), ("EvaluateEverySteps", "--evaluate-every"), ("CheckpointEverySteps", "--checkpoint-every"),
        ("Set Resume", "Give --resume"), ("CheckpointFolder", "--checkpoint folder"), ("Schedule was", "--schedule was"), ("Seed was", "--seed was"),
        ("InitialModel", "--initial"), ("Use FullFineTuningTextClassification", "Use --method full"),
        ("Positions is", "--positions is"), ("Scales holds", "--scales holds"), ("Methods holds", "--which holds"),
        ("AccuracyTolerance is", "--accuracy-tolerance is"), ("TestSet", "--test"),
        ("TaskRows", "--task"), ("Strengths holds", "--strengths holds"),
        ("Epsilon holds", "--epsilon holds"), ("TopK holds", "--top-k holds"), ("Scale is", "--scale is"), ("Strength is", "--strength is"),
        ("Head.MaxEpochs", "--head-epochs"), ("Head.LearningRate", "--head-learning-rate"),
        ("MaxNewTokens", "--max-new-tokens"), ("Temperature is", "--temperature is"), ("TopK is", "--top-k is"), ("TopP is", "--top-p is"),
        ("RepetitionPenalty", "--repetition-penalty"), ("StopStrings has", "--stop has"),
        ("set Device or GpuDeviceId", "set --device"), ("Device is", "--device is"), ("Device says", "--device says"),
    ];

    /// <summary>A library's message in the words of the command line.</summary>
    public static string AsTyped(string message)
    {
        message = Component().Replace(message, "");
        foreach (var (option, typed) in Names) message = Regex.Replace(message, $@"(?<![\w.]){Regex.Escape(option)}\b", typed);
        return message;
    }

    [GeneratedRegex("^(LoraTextClassification|FullFineTuningTextClassification|MaskedLanguageModel|EvaluateForgetting|EvaluateRepair|ContinualLearning): (Training: )?")]
    private static partial Regex Component();
}
