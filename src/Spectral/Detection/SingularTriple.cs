namespace MLNetLoRA;

/// <summary>One leading singular triple of a tuned matrix, as numbers.</summary>
/// <param name="Index">Its place by descending singular value, from 0.</param>
/// <param name="SingularValue">σ of the tuned matrix.</param>
/// <param name="MaxAbsCosine">
/// The largest |cosine| of its vector with those singular vectors of the base that were looked at: all of them, unless
/// <paramref name="CosineUpperBound"/> is larger.
/// </param>
/// <param name="CosineLowerBound">
/// No choice of vectors gives less; below <paramref name="MaxAbsCosine"/> where nearly equal singular values leave a choice, and by the
/// base vectors' own error where only the leading ones are known.
/// </param>
/// <param name="CosineUpperBound">
/// No choice of vectors gives more, and no base vector that was not looked at is closer; else <paramref name="MaxAbsCosine"/>.
/// </param>
/// <param name="ResidualNorm">Length of the part of the vector outside the base vectors that were looked at; 0 when those were all.</param>
/// <param name="ClosestBaseVector">Index of the base's closest singular vector among those looked at; null when none can be named.</param>
/// <param name="DeltaProjection">uᵀ ΔW v: how much of σ the change put there.</param>
/// <param name="IsFromCompleteDecomposition">Whether both matrices were decomposed completely.</param>
public sealed record SingularTriple(
    int Index, double SingularValue, double MaxAbsCosine, double CosineLowerBound, double CosineUpperBound, double ResidualNorm,
    int? ClosestBaseVector, double DeltaProjection, bool IsFromCompleteDecomposition)
{
    /// <summary>What the vector is at a threshold.</summary>
    /// <param name="epsilon">Above 0 and below 1.</param>
    public IntruderVerdict Verdict(double epsilon)
    {
        CheckEpsilon(epsilon);
        if (CosineLowerBound >= epsilon) return IntruderVerdict.Pretrained;
        return CosineUpperBound < epsilon ? IntruderVerdict.Intruder : IntruderVerdict.IllDefined;
    }

    /// <summary>What settled the verdict at a threshold.</summary>
    /// <param name="epsilon">Above 0 and below 1.</param>
    public DecisionEvidence Evidence(double epsilon)
    {
        CheckEpsilon(epsilon);
        if (IsFromCompleteDecomposition) return DecisionEvidence.CompleteDecomposition;
        if (CosineLowerBound >= epsilon || ResidualNorm == 0) return DecisionEvidence.Direct;
        return ResidualNorm < epsilon ? DecisionEvidence.Residual : DecisionEvidence.Certificate;
    }

    /// <summary>How far the largest cosine is from a threshold, |max cos − ε|; a small one would have gone the other way easily.</summary>
    /// <param name="epsilon">Above 0 and below 1.</param>
    public double Margin(double epsilon)
    {
        CheckEpsilon(epsilon);
        return Math.Abs(MaxAbsCosine - epsilon);
    }

    internal static void CheckEpsilon(double epsilon)
    {
        if (epsilon is not (> 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "A threshold is a cosine above 0 and below 1 (usual: 0.5).");
    }
}
