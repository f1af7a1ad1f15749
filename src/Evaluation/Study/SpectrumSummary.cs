namespace MLNetLoRA.Evaluation;

/// <summary>A spectral report in a few numbers.</summary>
internal static class SpectrumSummary
{
    /// <summary>Counts and energies over the whole grid, the first threshold and top k first.</summary>
    public static IReadOnlyList<StudyCount> Counts(SpectralReport report, SpectralSettings settings) =>
        [.. settings.TopK.SelectMany(topK => settings.Epsilon.Select(epsilon => Count(report, epsilon, topK)))];

    /// <summary>One threshold and top k.</summary>
    public static StudyCount Count(SpectralReport report, double epsilon, int topK)
    {
        var (count, ofIntruders, ofAll) = (0, 0.0, 0.0);
        foreach (var matrix in report.Matrices)
        {
            var judged = Math.Min(topK, matrix.Triples.Count);
            var found = matrix.IntrudersAt(epsilon, judged);
            count += found.Count;
            ofIntruders += found.Sum(index => Square(matrix.Triples[index].SingularValue));
            ofAll += matrix.Triples.Take(judged).Sum(triple => Square(triple.SingularValue));
        }
        return new StudyCount(epsilon, topK, count, ofAll == 0 ? 0 : ofIntruders / ofAll);
    }

    /// <summary>‖ΔW‖ of all matrices together.</summary>
    public static double DeltaFrobenius(SpectralReport report) => Math.Sqrt(report.Matrices.Sum(matrix => Square(matrix.DeltaFrobenius)));

    private static double Square(double value) => value * value;
}
