using System.Diagnostics;
using MLNetLoRA.Cli.Output;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>Counts matrices on standard error: a bar with the time left on a terminal, a line now and then elsewhere.</summary>
internal sealed class MatrixProgress(WorkProgress progress, string title, int total)
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _said;
    private int _done;

    /// <summary>Time since the work began.</summary>
    public double Seconds => _clock.Elapsed.TotalSeconds;

    /// <summary>One more matrix is done.</summary>
    public void Step(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        _done++;
        if (progress.HasBar) progress.Advance(_done, total, $"{title}: {_done} of {total} matrices");
        else if (_clock.Elapsed - _said >= BetweenLines) SayLine();
    }

    private void SayLine()
    {
        _said = _clock.Elapsed;
        progress.Begin();
        progress.Say($"{title}: {_done} of {total} matrices, about {_said.TotalSeconds / _done * (total - _done):F0} s left");
    }
}
