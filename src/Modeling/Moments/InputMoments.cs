using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Second moments E[xxᵀ] of what each linear map of a network is given to read, over some batches.</summary>
/// <remarks>
/// Build a network with <see cref="Projections"/> and run it inside <see cref="Begin"/>. Maps that are given the very same tensor, as query, key
/// and value are, share one moment. Memory: d² · 8 bytes for each distinct input of width d, however many tokens come; for RoBERTa-base 1.1 GB.
/// Owns the moments. For one thread at a time.
/// </remarks>
public sealed class InputMoments(Device device) : IDisposable
{
    private readonly Dictionary<string, SecondMoment> _byName = [];
    private readonly HashSet<SecondMoment> _seen = [];              // in the pass that is under way
    private Tensor? _positions;
    private Tensor? _latest;
    private SecondMoment? _latestMoment;
    private bool _isWatching;

    /// <summary>How many tokens were seen.</summary>
    public long TokenCount { get; private set; }

    /// <summary>The maps that were run, in the order in which the network uses them: checkpoint keys without ".weight".</summary>
    public IReadOnlyCollection<string> Names => _byName.Keys;

    /// <summary>How many moments are kept: one for each distinct input.</summary>
    public int DistinctCount => _byName.Values.Distinct().Count();

    /// <summary>The moment of a map's inputs, (in, in) in float64; the caller disposes it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">No such map was run.</exception>
    public Tensor Of(string name) => _byName.TryGetValue(name, out var moment)
        ? moment.ToMatrix()
        : throw new ArgumentException($"No inputs of {MessageText.Quote(name)} were seen; there are {_byName.Count} maps: {MessageText.List(_byName.Keys)}.", nameof(name));

    /// <summary>Fills slots as another factory does, and watches what they are given.</summary>
    /// <param name="inner">Fills the slots.</param>
    public IProjectionFactory Projections(IProjectionFactory inner)
    {
        ArgumentNullException.ThrowIfNull(inner);
        return new WatchedProjections(this, inner);
    }

    /// <summary>Watches one pass of the network, until what is returned is disposed.</summary>
    /// <param name="batch">What the network is given: its padding is left out.</param>
    public IDisposable Begin(TokenBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _positions = batch.Attended.view(-1).nonzero().view(-1).DetachFromDisposeScope();
        TokenCount += _positions.shape[0];
        _isWatching = true;
        return new Pass(this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var moment in _byName.Values) moment.Dispose();
    }

    // x (batch, tokens, in).
    private void Watch(string name, Tensor x)
    {
        if (!_isWatching) return;
        if (ReferenceEquals(x, _latest))
        {
            _byName.TryAdd(name, _latestMoment!);
            return;
        }
        if (!_byName.TryGetValue(name, out var moment)) _byName.Add(name, moment = new SecondMoment((int)x.shape[^1], device));
        if (!_seen.Add(moment)) throw new InvalidOperationException($"{name} was run twice in one pass.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        moment.Add(x.detach().reshape(-1, x.shape[^1]).index_select(0, _positions!));
        (_latest, _latestMoment) = (x, moment);
    }

    private void End()
    {
        _positions?.Dispose();
        (_positions, _latest, _latestMoment, _isWatching) = (null, null, null, false);
        _seen.Clear();
    }

    private sealed class Pass(InputMoments moments) : IDisposable
    {
        public void Dispose() => moments.End();
    }

    private sealed class WatchedProjections(InputMoments moments, IProjectionFactory inner) : IProjectionFactory
    {
        public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout) =>
            new WatchedProjection(moments, source.KeyOf("weight")[..^".weight".Length], inner.Create(slot, source, dropout));
    }

    private sealed class WatchedProjection : nn.Module<Tensor, Tensor>
    {
        private readonly InputMoments _moments;
        private readonly string _name;
        private readonly nn.Module<Tensor, Tensor> _inner;

        public WatchedProjection(InputMoments moments, string name, nn.Module<Tensor, Tensor> inner) : base(nameof(WatchedProjection))
        {
            (_moments, _name, _inner) = (moments, name, inner);
            register_module("watched", inner);
        }

        public override Tensor forward(Tensor x)
        {
            _moments.Watch(_name, x);
            return _inner.forward(x);
        }
    }
}
