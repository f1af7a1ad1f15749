namespace MLNetLoRA.Transforms;

/// <summary>One matrix as a row of data.</summary>
internal sealed class SpectralRow
{
    public required string Name { get; set; }
    public long Rows { get; set; }
    public long Columns { get; set; }
    public int Intruders { get; set; }
    public required double[] MaxAbsCosine { get; set; }
    public required double[] SingularValue { get; set; }
    public required bool[] IsIntruder { get; set; }
    public double Margin { get; set; }
    public double EffectiveRank { get; set; }
    public double DeltaFrobenius { get; set; }
    public double IntruderEnergyShare { get; set; }

    public static SpectralRow Of(SpectralFinding finding, int slots)
    {
        var intruders = finding.Intruders;
        var missing = Enumerable.Repeat(double.NaN, slots - finding.Triples.Count).ToList();
        return new SpectralRow
        {
            Name = finding.Name,
            Rows = finding.Rows,
            Columns = finding.Columns,
            Intruders = intruders.Count,
            MaxAbsCosine = [.. finding.MaxAbsCosines, .. missing],
            SingularValue = [.. finding.SingularValues, .. missing],
            IsIntruder = [.. Enumerable.Range(0, slots).Select(intruders.Contains)],
            Margin = finding.Margin,
            EffectiveRank = finding.EffectiveRank,
            DeltaFrobenius = finding.DeltaFrobenius,
            IntruderEnergyShare = finding.IntruderEnergyShare,
        };
    }
}
