using MLNetLoRA.Modeling;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Balancing;

/// <summary>Balances the matrices of a model, one in memory at a time.</summary>
internal sealed class BalancePass
{
    private readonly IWeightChanges _changes;
    private readonly InputMoments _task;
    private readonly InputMoments _retention;
    private readonly RetentionBalancing _balancing;
    private readonly Device _device;
    private readonly Action _step;
    private readonly Dictionary<string, string> _inNetwork;

    /// <param name="changes">The model.</param>
    /// <param name="model">Its base, that ran.</param>
    /// <param name="task">What the base's layers were given on task rows.</param>
    /// <param name="retention">What they were given on retention texts.</param>
    /// <param name="balancing">The repair.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="step">Called after each matrix.</param>
    public BalancePass(
        IWeightChanges changes, PretrainedModel model, InputMoments task, InputMoments retention, RetentionBalancing balancing, Device device, Action step)
    {
        (_changes, _task, _retention, _balancing, _device, _step) = (changes, task, retention, balancing, device, step);
        _inNetwork = changes.Names.Select(name => (Name: name, InNetwork: EncoderMoments.NameOf(name, model.Config)))
            .Where(pair => pair.InNetwork is not null && task.Names.Contains(pair.InNetwork)).ToDictionary(pair => pair.Name, pair => pair.InNetwork!);
        Names = [.. changes.Names.Where(_inNetwork.ContainsKey)];
        Skipped = changes.Skipped.Concat(changes.Names.Except(Names).Select(name => KeyValuePair.Create(name, "not in the encoder's layers: stays as it is")))
            .ToDictionary(StringComparer.Ordinal);
        if (Names.Count == 0) throw new InvalidDataException($"None of the {changes.Names.Count} changed matrices is in the layers of {model.Name}.");
    }

    /// <summary>The matrices that have moments, in the model's order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>What stays as it is, with the reason.</summary>
    public IReadOnlyDictionary<string, string> Skipped { get; }

    /// <summary>Balances one matrix and makes something of it while its tensors live; tensors that it gives out have to leave a dispose scope.</summary>
    public T Balance<T>(string name, Func<WeightChange, BalancedChange, T> use)
    {
        using var scope = NewDisposeScope();
        using var opened = _changes.Open(name, _device);
        var inNetwork = _inNetwork[name];
        using var balanced = _balancing.Apply(opened.Change, _task.Of(inNetwork), _retention.Of(inNetwork));
        var made = use(opened.Change, balanced);
        _step();
        return made;
    }
}
