namespace MLNetLoRA.Trainers;

/// <summary>What a transformer owns, and lends to its cursors, mapped rows and prediction engines, which go on with it after the transformer.</summary>
/// <remarks>
/// <see cref="Dispose"/> gives up the transformer's own share; the last of those who borrowed disposes the resource. From then on nothing new is
/// lent, although somebody may still hold a share: those of prediction engines come back only when they are collected, because ML.NET does not
/// dispose an engine's row, and counting alone would let a disposed transformer live on for a while. Thread-safe.
/// </remarks>
internal sealed class TransformerResource<T> : IDisposable where T : class, IDisposable
{
    private readonly string _transformer;
    private readonly string _what;
    private readonly SharedOwner<T> _owner;
    private readonly SharedOwner<T>.Share _own;
    private volatile bool _isDisposed;

    /// <param name="transformer">The transformer's type, for the exception.</param>
    /// <param name="what">What the user calls the resource: "model".</param>
    /// <param name="resource">Owned from here on.</param>
    public TransformerResource(string transformer, string what, T resource)
    {
        (_transformer, _what, _owner) = (transformer, what, new SharedOwner<T>(resource));
        _own = _owner.Acquire();
    }

    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public SharedOwner<T>.Share Acquire()
    {
        if (_isDisposed)
            throw new ObjectDisposedException(
                _transformer,
                $"The {_what} was disposed: by Dispose, or with a prediction engine that owned it or its chain. "
                + "To make several engines of one model in turn, create them with PredictionEngineOptions.OwnsTransformer = false.");
        return _owner.Acquire();
    }

    public void Dispose()
    {
        _isDisposed = true;
        _own.Dispose();
    }
}
