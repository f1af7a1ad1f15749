using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>Looks at the matrices of a model, one in memory at a time.</summary>
internal sealed class SpectrumPass(IWeightChanges changes, SpectralSettings settings, SpectrumCache cache, Device device)
{
    /// <summary>The matrices, in the model's order.</summary>
    public IReadOnlyList<string> Names => changes.Names;

    /// <summary>Gives a matrix's change, with nothing computed yet. The caller disposes it.</summary>
    public OwnedWeightChange Open(string name) => changes.Open(name, device);

    /// <summary>Analyses one matrix and makes something of it while its tensors live.</summary>
    public T Analyze<T>(string name, Func<ChangeSpectrum, T> use)
    {
        using var scope = NewDisposeScope();
        using var opened = Open(name);
        var fitting = settings.For(opened.Change.Rows, opened.Change.Columns);
        using var basis = fitting.Method == SpectralMethod.Fast ? cache.BasisOf(opened.Change) : null;
        using var spectrum = new IntruderDetector(fitting).Analyze(opened.Change, basis?.Basis);
        return use(spectrum);
    }
}
