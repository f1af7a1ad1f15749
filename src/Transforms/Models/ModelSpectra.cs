using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>The leading singular triples of a model's matrices, computed once for any number of rescalings.</summary>
/// <remarks>Owns the spectra and the changes that they rest on.</remarks>
internal sealed class ModelSpectra : IDisposable
{
    private readonly List<IDisposable> _changes = [];
    private readonly List<ChangeSpectrum> _spectra = [];

    private ModelSpectra()
    {
    }

    /// <summary>What was found, in the model's order.</summary>
    public IReadOnlyList<SpectralFinding> Findings => [.. _spectra.Select(spectrum => spectrum.Finding)];

    /// <summary>Looks at some matrices.</summary>
    /// <param name="changes">The model's changes.</param>
    /// <param name="names">The matrices.</param>
    /// <param name="settings">What to look for.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="checkCancelled">Called before each matrix.</param>
    public static ModelSpectra Measure(IWeightChanges changes, IReadOnlyList<string> names, SpectralSettings settings, Device device, Action checkCancelled)
    {
        var spectra = new ModelSpectra();
        try
        {
            var detector = new IntruderDetector(settings);
            foreach (var name in names)
            {
                checkCancelled();
                var change = changes.Open(name, device);
                spectra._changes.Add(change);
                spectra._spectra.Add(detector.Analyze(change.Change));
            }
            return spectra;
        }
        catch
        {
            spectra.Dispose();
            throw;
        }
    }

    /// <summary>What a rescaling adds to the matrices; a uniform control of a dense change adds factors of full rank.</summary>
    /// <param name="rescaling">The rescaling.</param>
    /// <param name="rank">Cuts each rescaled change to this rank; null leaves it exact.</param>
    /// <returns>The plans of all matrices, and corrections of those that change. The caller disposes the corrections.</returns>
    public (IReadOnlyList<RescalingPlan> Plans, Dictionary<string, LoraFactors> Corrections) Rescale(IntruderRescaling rescaling, int? rank)
    {
        var corrections = new Dictionary<string, LoraFactors>();
        try
        {
            var rescaled = rescaling.ApplyToAll(_spectra);
            foreach (var (change, spectrum) in rescaled.Zip(_spectra))
                if (Correction(change, spectrum.Change, rank) is { } correction) corrections.Add(spectrum.Change.Name, correction);
            return ([.. rescaled.Select(change => change.Plan)], corrections);
        }
        catch
        {
            foreach (var factors in corrections.Values) factors.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var spectrum in _spectra) spectrum.Dispose();
        foreach (var change in _changes) change.Dispose();
    }

    private static LoraFactors? Correction(RescaledChange rescaled, WeightChange change, int? rank)
    {
        if (rescaled.Plan.ChangesNothing) return null;
        if (!change.IsLowRank && rescaled.Plan.Triples.Count == 0) return Whole(change, rescaled.Plan.UniformFactor - 1);
        if (rank is { } kept && kept < change.A!.shape[0] + rescaled.Plan.Triples.Count) return Cut(rescaled, change, kept);
        var exact = rescaled.ToCorrection();
        return exact is null ? null : new LoraFactors(exact.A, exact.B, exact.Scale);
    }

    // A multiple of a dense change, as the product of itself with the identity of its shorter side.
    private static LoraFactors Whole(WeightChange change, double factor)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var added = change.Tuned!.to(ScalarType.Float64).sub(change.Base.to(ScalarType.Float64)).mul(factor).to(ScalarType.Float32);
        var identity = eye(Math.Min(change.Rows, change.Columns), dtype: ScalarType.Float32, device: added.device);
        var (a, b) = change.Rows <= change.Columns ? (added, identity) : (identity, added);
        return new LoraFactors(a.DetachFromDisposeScope(), b.DetachFromDisposeScope(), 1);
    }

    // Beside the change as it is: the cut one, less the change.
    private static LoraFactors Cut(RescaledChange rescaled, WeightChange change, int rank)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var cut = rescaled.Truncate(rank);
        var a = cat([cut.Factors.A, change.A!.to(ScalarType.Float32)], 0);
        var b = cat([cut.Factors.B.mul(cut.Factors.Scale), change.B!.to(ScalarType.Float32).mul(-change.Scale)], 1);
        return new LoraFactors(a.DetachFromDisposeScope(), b.DetachFromDisposeScope(), 1);
    }
}
