namespace MLNetLoRA.Trainers;

/// <summary>Where cursors, mapped rows and prediction engines get their scorer from.</summary>
internal interface ITextScorerSource
{
    /// <summary>A share in the model: it stays loaded until every lease is disposed, whatever happens to the transformer.</summary>
    /// <exception cref="ObjectDisposedException">The last owner is gone and the model with it.</exception>
    ScorerLease Acquire();
}

/// <summary>The right to score until disposed; the holder disposes it exactly when it stops scoring.</summary>
internal sealed class ScorerLease(ITextScorer scorer, IDisposable share) : IDisposable
{
    private ITextScorer? _scorer = scorer;

    /// <summary>The right to score with a share's resource; gives the share back.</summary>
    public static ScorerLease Of<T>(SharedOwner<T>.Share share) where T : class, ITextScorer, IDisposable => new(share.Resource, share);

    /// <exception cref="ObjectDisposedException">This lease was disposed.</exception>
    public ITextScorer Scorer => _scorer ?? throw new ObjectDisposedException(nameof(ScorerLease));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _scorer, null) is not null) share.Dispose();
    }
}
