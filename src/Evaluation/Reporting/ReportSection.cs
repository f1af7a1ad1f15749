namespace MLNetLoRA;

/// <summary>A heading and what stands under it.</summary>
/// <param name="Heading">One line.</param>
/// <param name="Parts">Text, pictures and tables in reading order.</param>
public sealed record ReportSection(string Heading, params IReadOnlyList<ReportPart> Parts);
