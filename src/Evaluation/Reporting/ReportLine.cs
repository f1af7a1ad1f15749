namespace MLNetLoRA;

/// <summary>Points of one name and colour in a picture.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Points">In the order in which a line joins them; those that are not finite are left out.</param>
public sealed record ReportLine(string Name, IReadOnlyList<ReportPoint> Points);

/// <summary>One point.</summary>
/// <param name="X">Along the horizontal axis.</param>
/// <param name="Y">Along the vertical axis.</param>
/// <param name="Label">Stands beside the point; null for nothing.</param>
public sealed record ReportPoint(double X, double Y, string? Label = null);
