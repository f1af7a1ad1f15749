namespace MLNetLoRA.Trainers.Tests;

/// <summary>Scores that depend on the text alone, and a record of what was asked.</summary>
internal sealed class FakeScorer(int classCount) : ITextScorer, IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<int> _batches = [];
    private int _openLeases;

    public int ClassCount => classCount;

    /// <summary>Rows of every call so far.</summary>
    public IReadOnlyList<int> Batches { get { lock (_gate) return [.. _batches]; } }

    public int RowsScored => Batches.Sum();

    public int OpenLeases => Volatile.Read(ref _openLeases);

    /// <summary>Runs inside every call, before it scores.</summary>
    public Action? OnScore { get; set; }

    public bool IsDisposed { get; private set; }

    public void Score(ReadOnlySpan<TextRow> rows, Span<float> scores)
    {
        Assert.Equal(rows.Length * classCount, scores.Length);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        OnScore?.Invoke();
        lock (_gate) _batches.Add(rows.Length);
        for (var i = 0; i < rows.Length; i++) Expected(rows[i]).CopyTo(scores[(i * classCount)..]);
    }

    /// <summary>The scores of one row, by themselves: positive, summing to one.</summary>
    public float[] Expected(TextRow row)
    {
        var hash = 14695981039346656037UL;   // FNV-1a: the same in every process
        foreach (var c in row.First + "\u0001" + (row.Second ?? "\u0002")) hash = (hash ^ c) * 1099511628211UL;
        var random = new Random((int)(hash % int.MaxValue));
        var scores = Enumerable.Range(0, classCount).Select(_ => random.NextSingle() + 0.01f).ToArray();
        var sum = scores.Sum();
        return [.. scores.Select(s => s / sum)];
    }

    /// <summary>The key of the highest expected score.</summary>
    public uint ExpectedKey(TextRow row)
    {
        var scores = Expected(row);
        return (uint)Array.IndexOf(scores, scores.Max()) + 1;
    }

    /// <summary>A lease on this scorer that counts as open until it is disposed, and gives back a share then.</summary>
    public ScorerLease Track(IDisposable share)
    {
        Interlocked.Increment(ref _openLeases);
        return new ScorerLease(this, new Release(this, share));
    }

    public void Dispose() => IsDisposed = true;

    private sealed class Release(FakeScorer scorer, IDisposable share) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref scorer._openLeases);
            share.Dispose();
        }
    }
}
