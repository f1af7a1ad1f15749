using MLNetLoRA.Spectral;

namespace MLNetLoRA;

/// <summary>Multiplies intruder dimensions by λ, or does what is to be compared with that.</summary>
/// <remarks>
/// Immutable and thread-safe. W′ = W + (λ − 1) Σ σ_j u_j v_jᵀ over the chosen singular triples of the tuned W; arXiv 2410.21228, section 5.
/// Controls: c = 1 − (1 − λ) √(Σσ_j²) / ‖ΔW‖ multiplies the whole change; with <see cref="RescalingMatch.Factor"/>, c = λ.
/// </remarks>
public sealed record IntruderRescaling
{
    /// <summary>What is rescaled.</summary>
    /// <value>Default <see cref="RescalingKind.Top"/>, the paper's choice.</value>
    public RescalingKind Kind { get; init; } = RescalingKind.Top;

    /// <summary>λ, always the intruders' factor: 1 leaves them as they are, 0 removes them, above 1 amplifies them.</summary>
    /// <value>0 or more; default 0.7.</value>
    public double Scale { get; init; } = 0.7;

    /// <summary>For a uniform control: the rescaling it stands beside.</summary>
    /// <value><see cref="RescalingKind.All"/> (default) or <see cref="RescalingKind.Top"/>.</value>
    public RescalingKind Counterpart { get; init; } = RescalingKind.All;

    /// <summary>For a uniform control: what it has in common with its <see cref="Counterpart"/>.</summary>
    /// <value>Default <see cref="RescalingMatch.Distance"/>.</value>
    public RescalingMatch Match { get; init; } = RescalingMatch.Distance;

    /// <summary>The threshold that makes an intruder.</summary>
    /// <value>Above 0 and below 1; null, the default, means the first of <see cref="SpectralSettings.Epsilon"/>.</value>
    public double? Epsilon { get; init; }

    /// <summary>How many leading singular vectors may be intruders.</summary>
    /// <value>1 to as many as were looked at; null, the default, means the first of <see cref="SpectralSettings.TopK"/>.</value>
    public int? TopK { get; init; }

    private bool IsUniform => Kind is RescalingKind.Uniform or RescalingKind.UniformGlobal;

    /// <summary>Everything that is wrong with these settings, each as one sentence; empty when all is well.</summary>
    public IEnumerable<string> Faults()
    {
        if (!Enum.IsDefined(Kind)) yield return $"Kind is {Kind}; use {string.Join(", ", Enum.GetNames<RescalingKind>())}.";
        if (!(Scale >= 0 && double.IsFinite(Scale)))
            yield return $"Scale is {Scale}; use 0 or more: 1 leaves an intruder as it is, 0 removes it.";
        if (Counterpart is not (RescalingKind.All or RescalingKind.Top)) yield return $"Counterpart is {Counterpart}; use All or Top.";
        if (!Enum.IsDefined(Match)) yield return $"Match is {Match}; use Distance, Norm or Factor.";
        if (Epsilon is { } epsilon && epsilon is not (> 0 and < 1))
            yield return $"Epsilon is {epsilon}; use a cosine above 0 and below 1 (usual: 0.5).";
        if (TopK < 1) yield return $"TopK is {TopK}; use 1 or more (usual: 10).";
    }

    /// <summary>What this does to each of some changes, from the numbers alone.</summary>
    /// <param name="findings">One finding per matrix; all of a model for <see cref="RescalingKind.UniformGlobal"/>.</param>
    /// <returns>One plan per finding, in order.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message names all that are.</exception>
    public IReadOnlyList<RescalingPlan> Plan(IReadOnlyList<SpectralFinding> findings)
    {
        ArgumentNullException.ThrowIfNull(findings);
        var faults = Faults().ToList();
        if (faults.Count > 0) throw new ArgumentException(string.Join(" ", faults));
        if (!IsUniform) return [.. findings.Select(finding => OfTriples(finding, Kind))];
        var counterparts = findings.Select(finding => OfTriples(finding, Counterpart)).ToList();
        if (Kind == RescalingKind.Uniform)
            return [.. findings.Zip(counterparts, (finding, one) => OfWhole(finding, Factor([finding], [one])))];
        var factor = Factor(findings, counterparts);
        return [.. findings.Select(finding => OfWhole(finding, factor))];
    }

    /// <summary>Rescales one change; <see cref="RescalingKind.UniformGlobal"/> is then <see cref="RescalingKind.Uniform"/>.</summary>
    /// <param name="spectrum">The change and its triples; must outlive what is returned.</param>
    /// <exception cref="ArgumentException">A setting is out of its range; the message names all that are.</exception>
    public RescaledChange Apply(ChangeSpectrum spectrum)
    {
        ArgumentNullException.ThrowIfNull(spectrum);
        return ApplyToAll([spectrum])[0];
    }

    /// <summary>Rescales the changes of a model.</summary>
    /// <param name="spectra">The changes and their triples; must outlive what is returned.</param>
    /// <returns>One per change, in order.</returns>
    /// <exception cref="ArgumentException">A setting is out of its range; the message names all that are.</exception>
    public IReadOnlyList<RescaledChange> ApplyToAll(IReadOnlyList<ChangeSpectrum> spectra)
    {
        ArgumentNullException.ThrowIfNull(spectra);
        var plans = Plan([.. spectra.Select(spectrum => spectrum.Finding)]);
        return [.. spectra.Zip(plans, (spectrum, plan) => new RescaledChange(spectrum, plan))];
    }

    private RescalingPlan OfTriples(SpectralFinding finding, RescalingKind kind)
    {
        var intruders = finding.IntrudersAt(Threshold(finding), Leading(finding));
        var triples = kind switch
        {
            RescalingKind.All => intruders,
            RescalingKind.Top => [.. intruders.Take(1)],
            _ => [.. intruders.Take(1).SelectMany(top => Neighbour(finding, top))],
        };
        var chosen = triples.Select(index => finding.Triples[index]).ToList();
        var energy = chosen.Sum(triple => triple.SingularValue * triple.SingularValue);
        var overlap = chosen.Sum(triple => triple.SingularValue * triple.DeltaProjection);
        var step = Scale - 1;
        return new RescalingPlan
        {
            Name = finding.Name,
            Kind = kind,
            Scale = Scale,
            Triples = triples,
            IsMeasurable = kind != RescalingKind.Neighbour || intruders.Count == 0 || triples.Count > 0,
            Frobenius = Length(Square(finding.TunedFrobenius) + (((Scale * Scale) - 1) * energy)),
            DeltaFrobenius = Length(Square(finding.DeltaFrobenius) + (2 * step * overlap) + (step * step * energy)),
            Distance = Math.Abs(step) * Math.Sqrt(energy),
        };
    }

    private RescalingPlan OfWhole(SpectralFinding finding, (double Factor, bool IsClipped) shrink)
    {
        var factor = finding.DeltaFrobenius == 0 ? 1 : shrink.Factor;
        var twiceOverlap = Square(finding.TunedFrobenius) - Square(finding.BaseFrobenius) - Square(finding.DeltaFrobenius);
        return new RescalingPlan
        {
            Name = finding.Name,
            Kind = Kind,
            Scale = Scale,
            Triples = [],
            UniformFactor = factor,
            IsClipped = shrink.IsClipped,
            Frobenius = Length(Square(finding.BaseFrobenius) + (factor * twiceOverlap) + Square(factor * finding.DeltaFrobenius)),
            DeltaFrobenius = factor * finding.DeltaFrobenius,
            Distance = Math.Abs(factor - 1) * finding.DeltaFrobenius,
        };
    }

    private (double Factor, bool IsClipped) Factor(IReadOnlyList<SpectralFinding> findings, IReadOnlyList<RescalingPlan> counterparts)
    {
        if (Match == RescalingMatch.Factor) return (Scale, false);
        var norm = Math.Sqrt(findings.Sum(finding => Square(finding.DeltaFrobenius)));
        if (norm == 0 || counterparts.All(plan => plan.ChangesNothing)) return (1, false);
        if (Match == RescalingMatch.Norm) return (Math.Sqrt(counterparts.Sum(plan => Square(plan.DeltaFrobenius))) / norm, false);
        var distance = Math.Sqrt(counterparts.Sum(plan => Square(plan.Distance)));
        var factor = 1 + (Math.Sign(Scale - 1) * distance / norm);
        return (Math.Max(0, factor), factor < 0);
    }

    private IEnumerable<int> Neighbour(SpectralFinding finding, int intruder)
    {
        var value = finding.Triples[intruder].SingularValue;
        var pretrained = finding.IndicesAt(Threshold(finding), Leading(finding), IntruderVerdict.Pretrained);
        // MinBy keeps the first of equals.
        return pretrained.Count == 0 ? [] : [pretrained.MinBy(index => Math.Abs(finding.Triples[index].SingularValue - value))];
    }

    private double Threshold(SpectralFinding finding) => Epsilon ?? finding.Settings.Epsilon[0];

    private int Leading(SpectralFinding finding) => TopK ?? finding.Settings.TopK[0];

    private static double Square(double value) => value * value;

    // Rounding may leave the square of a vanishing length a little below zero.
    private static double Length(double square) => Math.Sqrt(Math.Max(0, square));
}
