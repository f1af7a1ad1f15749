namespace MLNetLoRA.Trainers;

/// <summary>Defaults that several signatures spell; each is written once, here.</summary>
internal static class OptionDefaults
{
    public const string Label = "Label";
    public const string Score = "Score";
    public const string PredictedLabel = "PredictedLabel";
    public const string Sentence1 = "Sentence1";
    public const string Features = "Features";
    public const int BatchSize = 32;
    public const int MaxEpochs = 10;
    public const int MaxTokens = 128;

    /// <summary>Most rows in a pass, and most passes in a step: more is a slip, and would size buffers.</summary>
    public const int MostRows = 1 << 16;

    /// <summary>Largest learning rate and weight decay: far above any use, far below what overflows a float32 step.</summary>
    public const double LargestRate = 1000;

    /// <summary>Room for the special tokens of a pair and a word or two.</summary>
    public const int FewestTokens = 8;
}
