using MLNetLoRA;

namespace IllusionOfEquivalence;

/// <summary>The paper's findings beside what came out here.</summary>
internal static class ClaimTable
{
    public static void Print(StudyReport report)
    {
        Console.WriteLine($"\n{report.Runs.Count} runs of {report.Setup.BaseName}: the paper's findings, and ours");
        foreach (var claim in report.Claims)
        {
            Console.WriteLine($"\n{Verdict(claim.Verdict),-14} {claim.Name} ({claim.Source})");
            Console.WriteLine($"  paper: {claim.Paper}");
            Console.WriteLine($"  here:  {claim.Ours}");
        }
    }

    private static string Verdict(StudyVerdict verdict) => verdict switch
    {
        StudyVerdict.Agree => "AGREE",
        StudyVerdict.Disagree => "DISAGREE",
        _ => "NOT MEASURABLE",
    };
}
