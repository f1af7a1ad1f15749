using System.Globalization;
using MLNetLoRA.Transforms;

namespace MLNetLoRA.Evaluation;

/// <summary>Rescaling by λ: intruders, or what stands beside them as a control. Spectra are computed once, for all methods and scales.</summary>
/// <param name="method">The method.</param>
/// <param name="scales">The values of λ.</param>
/// <param name="spectra">Of the model's matrices; borrowed.</param>
internal sealed class SpectralRepair(RepairMethod method, IReadOnlyList<double> scales, ModelSpectra spectra) : IRepair
{
    public RepairMethod Method => method;

    public IReadOnlyList<double> Strengths { get; } = [.. scales.Order()];

    public double Untouched => 1;

    public RepairTrial At(double strength)
    {
        var rescaling = Rescaling(strength);
        return new RepairTrial(
            KeyOf(rescaling.Plan(spectra.Findings)),
            () => new ModelCorrections(modelFingerprint: "") { Factors = spectra.Rescale(rescaling, rank: null).Corrections });
    }

    private IntruderRescaling Rescaling(double scale) => method switch
    {
        RepairMethod.Top => new() { Kind = RescalingKind.Top, Scale = scale },
        RepairMethod.All => new() { Kind = RescalingKind.All, Scale = scale },
        RepairMethod.Neighbour => new() { Kind = RescalingKind.Neighbour, Scale = scale },
        RepairMethod.Uniform => new() { Kind = RescalingKind.Uniform, Scale = scale },
        RepairMethod.UniformGlobal => new() { Kind = RescalingKind.UniformGlobal, Match = RescalingMatch.Factor, Scale = scale },
        _ => throw new ArgumentOutOfRangeException(nameof(scale), method, $"{method} is no rescaling."),
    };

    // Top and All are one where no matrix has two intruders, for example.
    private static string KeyOf(IReadOnlyList<RescalingPlan> plans) => string.Join(';', plans.Where(plan => !plan.ChangesNothing)
        .Select(plan => string.Create(CultureInfo.InvariantCulture, $"{plan.Name} {plan.UniformFactor:R} {(plan.Triples.Count > 0 ? plan.Scale : 1):R} {string.Join(',', plan.Triples)}")));
}
