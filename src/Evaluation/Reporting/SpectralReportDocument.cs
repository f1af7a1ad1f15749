namespace MLNetLoRA.Evaluation;

/// <summary>A spectral report as a document.</summary>
internal static class SpectralReportDocument
{
    public static ReportDocument Of(SpectralReport report, IReadOnlyList<SingularVectorSimilarity> similarities)
    {
        List<ReportPart> pictures = report.Matrices.Count > 0 ? [ReportPictures.Intruders(report.Matrices)] : [];
        pictures.AddRange(similarities.Select(ReportPictures.Similarity));
        return new ReportDocument(
            $"Intruder dimensions of {report.BaseName} after {(report.Method == "lora" ? "LoRA" : "full fine-tuning")}",
            Summary(report),
            [new ReportSection("Pictures", pictures), new ReportSection("Numbers", Matrices(report), Skipped(report))]);
    }

    private static string Summary(SpectralReport report)
    {
        if (report.Matrices.Count == 0) return "Fine-tuning changed no matrix that can be measured.";
        var touched = report.Matrices.Count(matrix => matrix.Intruders.Count > 0);
        var settings = report.Matrices[0].Settings;
        var judged = FormattableString.Invariant($"among the {settings.TopK[0]} leading singular vectors of each matrix, at a cosine below {settings.Epsilon[0]}");
        return report.IntruderCount == 0
            ? $"Fine-tuning brought no intruder dimension into any of {report.Matrices.Count} matrices ({judged})."
            : $"Fine-tuning brought {report.IntruderCount} intruder dimension{(report.IntruderCount == 1 ? "" : "s")} into {touched} of {report.Matrices.Count} "
                + $"matrices ({judged}).";
    }

    private static ReportTable Matrices(SpectralReport report) => new(
        "Every fine-tuned matrix. Margin is the distance of the closest decision from the threshold; energy is the intruders' share of the leading "
        + "squared singular values.",
        ["matrix", "rows", "columns", "intruders", "margin", "energy", "‖ΔW‖", "effective rank of ΔW"],
        [.. report.Matrices.Select(matrix => (string[])
        [
            matrix.Name, ReportNumbers.Count(matrix.Rows), ReportNumbers.Count(matrix.Columns), ReportNumbers.Count(matrix.Intruders.Count),
            ReportNumbers.Share(matrix.Margin), ReportNumbers.Share(matrix.IntruderEnergyShare), ReportNumbers.General(matrix.DeltaFrobenius),
            ReportNumbers.General(matrix.EffectiveRank),
        ])]);

    private static ReportPart Skipped(SpectralReport report) => report.Skipped.Count == 0
        ? new ReportText("Nothing else was trained.")
        : new ReportTable(
            "Trained, but not measured.", ["parameter", "reason"],
            [.. report.Skipped.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (string[])[pair.Key, pair.Value])]);
}
