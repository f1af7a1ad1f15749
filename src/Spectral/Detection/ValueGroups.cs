namespace MLNetLoRA.Spectral;

/// <summary>Descending values cut into groups of neighbours that cannot be told apart.</summary>
/// <remarks>
/// Where singular values are equal, any rotation of their vectors is as good, so a single vector of a group means nothing; the subspace
/// that the group spans does.
/// </remarks>
internal static class ValueGroups
{
    /// <summary>The groups, in order; most hold one value.</summary>
    /// <param name="values">Descending.</param>
    /// <param name="areOne">Whether a value and the next lower one belong together.</param>
    public static List<Range> Of(IReadOnlyList<double> values, Func<double, double, bool> areOne)
    {
        var groups = new List<Range>();
        for (var start = 0; start < values.Count;)
        {
            var end = start + 1;
            while (end < values.Count && areOne(values[end - 1], values[end])) end++;
            groups.Add(start..end);
            start = end;
        }
        return groups;
    }

    /// <summary>The groups of singular values that are closer than a share of the largest.</summary>
    public static List<Range> Of(IReadOnlyList<double> singularValues, double tolerance) =>
        Of(singularValues, (higher, lower) => higher - lower <= tolerance * singularValues[0]);
}
