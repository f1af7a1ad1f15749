using System.Diagnostics;
using MLNetLoRA.Spectral;
using static TorchSharp.torch;

namespace MLNetLoRA.Bench.Intruders;

/// <summary>Runs ours and a peer in alternation and compares what they find.</summary>
internal sealed class Comparison(int repetitions)
{
    public const int TopK = 10;
    public const double Epsilon = 0.5;
    public const double Scale = 0.7;

    private static readonly IntruderDetector Detector = new();

    /// <summary>Ours: finds, rescales, and hands over the result as the peer does.</summary>
    public sealed record Outcome(SpectralFinding Finding, Tensor Rescaled);

    /// <summary>All intruders scaled, cut to the change's rank, as PEFT does.</summary>
    public static Outcome Truncated(WeightChange change, BaseSpectrum basis)
    {
        using var spectrum = Detector.Analyze(change, basis);
        using var factors = new IntruderRescaling { Kind = RescalingKind.All, Scale = Scale }.Apply(spectrum).Truncate((int)change.A!.shape[0]);
        return new Outcome(spectrum.Finding, factors.Factors.B.matmul(factors.Factors.A));
    }

    /// <summary>The top intruder scaled, as a matrix, as the paper does.</summary>
    public static Outcome Dense(WeightChange change, BaseSpectrum basis)
    {
        using var spectrum = Detector.Analyze(change, basis);
        return new Outcome(spectrum.Finding, new IntruderRescaling { Kind = RescalingKind.Top, Scale = Scale }.Apply(spectrum).ToDense());
    }

    /// <summary>One row: the first run of each is not counted.</summary>
    public ComparisonRow Measure(string name, Func<Outcome> ours, Func<Peers.Outcome> peer)
    {
        using var _ = no_grad();
        var (mine, theirs) = (new List<double>(), new List<double>());
        for (var run = 0; ; run++)
        {
            using var scope = NewDisposeScope();
            var (found, oursMs) = Timed(ours);
            var (expected, peerMs) = Timed(peer);
            if (run > 0)
            {
                mine.Add(oursMs);
                theirs.Add(peerMs);
            }
            if (run == repetitions) return Row(name, Median(mine), Median(theirs), found, expected);
        }
    }

    private static ComparisonRow Row(string name, double oursMs, double peerMs, Outcome found, Peers.Outcome expected)
    {
        var cosines = expected.Cosines.to(float64).data<double>().ToArray();
        var error = found.Finding.MaxAbsCosines.Zip(cosines, (mine, theirs) => Math.Abs(mine - theirs)).Max();
        var difference = (found.Rescaled - expected.Rescaled).norm().item<float>() / expected.Rescaled.norm().item<float>();
        var intruders = Enumerable.Range(0, cosines.Length).Where(j => cosines[j] < Epsilon);
        var evidence = found.Finding.Triples.CountBy(triple => triple.Evidence(Epsilon)).ToDictionary(pair => pair.Key.ToString(), pair => pair.Value);
        return new ComparisonRow(
            name, oursMs, peerMs, peerMs / oursMs, Math.Max(error, difference), found.Finding.Intruders.SequenceEqual(intruders), evidence,
            found.Finding.Triples.Any(triple => triple.IsFromCompleteDecomposition) ? 1 : 0);
    }

    private static (T Value, double Milliseconds) Timed<T>(Func<T> work)
    {
        var started = Stopwatch.GetTimestamp();
        var value = work();
        return (value, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }
}
