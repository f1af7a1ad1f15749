using Spectre.Console;

namespace MLNetLoRA.Cli.Output;

/// <summary>How a piece of long work is going.</summary>
/// <remarks>Lines wait until the work has begun: input that is refused before leaves one line on standard error, the refusal.</remarks>
internal sealed class WorkProgress(Action<string> write, Func<ProgressTask>? addBar = null)
{
    private readonly Lock _gate = new();
    private readonly List<string> _waiting = [];
    private bool _hasBegun;
    private ProgressTask? _bar;

    /// <summary>Says a line, at once or when the work begins.</summary>
    public void Say(string line)
    {
        lock (_gate)
        {
            if (_hasBegun) write(line);
            else _waiting.Add(line);
        }
    }

    /// <summary>Past the checks: what was said so far is written.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            _hasBegun = true;
            foreach (var line in _waiting) write(line);
            _waiting.Clear();
        }
    }

    /// <summary>How far the work is.</summary>
    public void Advance(long done, long total)
    {
        if (!_hasBegun) Begin();
        if (addBar is null) return;
        _bar ??= addBar();
        _bar.MaxValue = total;
        _bar.Value = done;
    }
}
