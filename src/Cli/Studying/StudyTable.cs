using Spectre.Console;
using Spectre.Console.Rendering;

namespace MLNetLoRA.Cli.Studying;

/// <summary>A study's claims for the reader at the terminal.</summary>
internal static class StudyTable
{
    public static IRenderable Of(StudyReport report)
    {
        var table = new Table().AddColumn("Verdict").AddColumn("Finding").AddColumn("Paper").AddColumn("Here");
        foreach (var claim in report.Claims)
            table.AddRow(new Text(Words(claim.Verdict)), new Text($"{claim.Name} ({claim.Source})"), new Text(claim.Paper), new Text(claim.Ours));
        return table;
    }

    private static string Words(StudyVerdict verdict) => verdict switch
    {
        StudyVerdict.Agree => "agree",
        StudyVerdict.Disagree => "disagree",
        _ => "not measurable",
    };
}
