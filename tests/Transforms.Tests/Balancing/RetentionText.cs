namespace MLNetLoRA.Transforms.Tests.Balancing;

/// <summary>Texts that look nothing like the task's rows.</summary>
internal static class RetentionText
{
    public static readonly string[] Some =
    [
        "the river was low that summer, and boats lay in the mud", "it is said that numbers never lie: 12, 45 and 7 do not", "(see the note below)",
        "who would have thought so?", "a short walk, a long lunch", "rain & wind; then snow",
    ];
}
