using static System.FormattableString;

namespace MLNetLoRA.Evaluation;

/// <summary>A report of representation drift as a document.</summary>
internal static class RepresentationDriftDocument
{
    private const string Definitions =
        "Linear centred kernel alignment compares the base's hidden states of the same texts with the fine-tuned model's: 1 is the same up to rotation, scale and shift. "
        + "With fewer states than a state is wide, the alignment of unrelated states is no longer near 0.";

    public static ReportDocument Of(RepresentationDriftReport report) => new(
        $"How far fine-tuning moved the hidden states of {report.BaseName}",
        Summary(report),
        [
            new ReportSection("Pictures", [.. Pictures(report)]),
            new ReportSection("Numbers", new ReportTable(
                "Alignment after each layer; layer 0 is what the first layer is given.", ["layer", "alignment", "drift"],
                [.. report.Alignments.Select((alignment, layer) => (string[])
                    [ReportNumbers.Count(layer), ReportNumbers.Forgetting(alignment), ReportNumbers.Forgetting(1 - alignment)])])),
            new ReportSection("How to read this", new ReportText(Definitions)),
        ]);

    private static string Summary(RepresentationDriftReport report)
    {
        var method = report.Method == "lora" ? "LoRA" : "full fine-tuning";
        var states = report.States is ComparedStates.Tokens ? "tokens" : "first tokens";
        var compared = Invariant($"{report.Examples} {states} of {report.Texts} texts");
        return double.IsNaN(report.LastLayerDrift)
            ? $"Over {compared} the states after the last layer are all equal, so there is no alignment to tell."
            : Invariant($"After {method} the states after the last layer have an alignment of {1 - report.LastLayerDrift:F4} with the base's, a drift of {report.LastLayerDrift:F4} (over {compared}).");
    }

    private static IEnumerable<ReportPart> Pictures(RepresentationDriftReport report)
    {
        if (report.Alignments.Any(double.IsFinite))
            yield return ReportPictures.Lines(
                "Alignment layer by layer", "1 is a layer whose states fine-tuning did not change; lower is further from the base.", "layer (0 is the embeddings)", "linear CKA (share)",
                [new ReportLine("alignment", [.. report.Alignments.Select((alignment, layer) => new ReportPoint(layer, alignment))])]);
    }
}
