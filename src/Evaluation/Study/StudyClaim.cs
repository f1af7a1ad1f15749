namespace MLNetLoRA;

/// <summary>A finding of the paper, held against a study's numbers.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">The finding in a few words.</param>
/// <param name="Source">Where in arXiv 2410.21228.</param>
/// <param name="Paper">What the paper found.</param>
/// <param name="Ours">What this study found, in numbers.</param>
/// <param name="Rule">When both agree; written before the numbers were known.</param>
/// <param name="Verdict">What the rule says.</param>
public sealed record StudyClaim(string Name, string Source, string Paper, string Ours, string Rule, StudyVerdict Verdict);

/// <summary>Whether a study found what the paper found.</summary>
public enum StudyVerdict
{
    /// <summary>It did.</summary>
    Agree,

    /// <summary>It did not.</summary>
    Disagree,

    /// <summary>It cannot tell: nothing of the kind was measured, or what was measured is too small.</summary>
    NotMeasurable,
}
