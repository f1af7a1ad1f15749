namespace MLNetLoRA.Evaluation;

/// <summary>Findings of the paper that one task and one encoder cannot show.</summary>
internal static class UnmeasuredClaims
{
    private const string NoRule = "none: a study does not measure it";

    public static IReadOnlyList<StudyClaim> All { get; } =
    [
        new(
            "Learning tasks one after the other, low ranks forget most and intruders pile up", "Fig. 9, 17", "six tasks, adapters merged after each",
            "a study learns one task; ContinualLearning measures several", NoRule, StudyVerdict.NotMeasurable),
        new(
            "The same in LLaMA2", "Table 4", "MetaMath r 256, λ 0.3: accuracy -0.1 %, forgetting -33.3 %", "a study trains encoders of the size at hand", NoRule, StudyVerdict.NotMeasurable),
        new("PiSSA brings many intruders", "App. N", "more than LoRA's usual beginning", "this library's LoRA does not begin with the base's singular vectors", NoRule, StudyVerdict.NotMeasurable),
        new("More rows mean more intruders", "App. A", "their number rises with the rows", "all runs of a study learn the same rows", NoRule, StudyVerdict.NotMeasurable),
    ];
}
