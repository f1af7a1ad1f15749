using MLNetLoRA.Cli.Spectra;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Rescaling;

/// <summary>Rescales the matrices of a model, one in memory at a time.</summary>
internal sealed class RescalePass(SpectrumPass spectra, IntruderRescaling rescaling, Action step)
{
    private Dictionary<string, RescalingPlan>? _plans;

    /// <summary>The matrices, in the model's order.</summary>
    public IReadOnlyList<string> Names => spectra.Names;

    /// <summary>Whether all matrices are looked at before the first is written: one factor for all of them needs all of them.</summary>
    public static bool LooksTwice(IntruderRescaling rescaling) => rescaling is { Kind: RescalingKind.UniformGlobal, Match: not RescalingMatch.Factor };

    /// <summary>Looks at all matrices, where that has to come first.</summary>
    public void Prepare()
    {
        if (!LooksTwice(rescaling)) return;
        var findings = new List<SpectralFinding>();
        foreach (var name in spectra.Names)
        {
            findings.Add(spectra.Analyze(name, spectrum => spectrum.Finding));
            step();
        }
        _plans = rescaling.Plan(findings).ToDictionary(plan => plan.Name);
    }

    /// <summary>Rescales one matrix and makes something of it while its tensors live; tensors that it gives out have to leave two dispose scopes.</summary>
    public T Rescale<T>(string name, Func<WeightChange, RescaledChange, T> use)
    {
        var made = _plans is null
            ? spectra.Analyze(name, spectrum => use(spectrum.Change, rescaling.Apply(spectrum)))
            : Planned(name, _plans[name], use);
        step();
        return made;
    }

    private T Planned<T>(string name, RescalingPlan plan, Func<WeightChange, RescaledChange, T> use)
    {
        using var scope = NewDisposeScope();
        using var opened = spectra.Open(name);
        return use(opened.Change, RescaledChange.Uniform(opened.Change, plan));
    }
}
