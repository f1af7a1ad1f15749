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

    /// <summary>Whether a bar shows how far the work is; a file or pipe gets lines only.</summary>
    public bool HasBar => addBar is not null;

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
    /// <param name="done">Steps done.</param>
    /// <param name="total">Steps there are.</param>
    /// <param name="title">What stands beside the bar; null leaves it.</param>
    public void Advance(long done, long total, string? title = null)
    {
        if (!_hasBegun) Begin();
        if (addBar is null) return;
        _bar ??= addBar();
        _bar.MaxValue = total;
        _bar.Value = done;
        if (title is not null) _bar.Description = title;
    }
}
