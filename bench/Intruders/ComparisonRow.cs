namespace MLNetLoRA.Bench.Intruders;

/// <summary>One comparison.</summary>
/// <param name="Name">Shape, spectrum, and what stands against what.</param>
/// <param name="OursMs">Median milliseconds of ours.</param>
/// <param name="PeerMs">Median milliseconds of the peer.</param>
/// <param name="Ratio">Peer over ours: above 1, ours is faster.</param>
/// <param name="MaxError">The larger of: greatest difference of a cosine; relative Frobenius difference of what was rescaled.</param>
/// <param name="SameIntruders">Whether both name the same intruders.</param>
/// <param name="Decisions">How many vectors each kind of evidence decided.</param>
/// <param name="FallbackShare">Share of matrices that complete decompositions had to decide.</param>
internal sealed record ComparisonRow(
    string Name, double OursMs, double PeerMs, double Ratio, double MaxError, bool SameIntruders,
    IReadOnlyDictionary<string, int> Decisions, double FallbackShare);
