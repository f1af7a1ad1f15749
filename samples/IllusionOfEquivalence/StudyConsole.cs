using System.Diagnostics;

namespace IllusionOfEquivalence;

/// <summary>Says what begins, with the minutes and seconds since the start.</summary>
internal sealed class StudyConsole : IProgress<string>
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    public void Report(string value) => Console.WriteLine($"{_clock.Elapsed:h\\:mm\\:ss}  {value}");
}
