namespace MLNetLoRA.Bench.Balancing;

/// <summary>How much of everything.</summary>
/// <param name="Name">The folder of its runs.</param>
/// <param name="Rows">The most training rows; null for the task's own number.</param>
/// <param name="TestRows">The most test rows; null for all.</param>
/// <param name="Epochs">Null for the default.</param>
/// <param name="Positions">Tokens hidden one at a time to measure forgetting.</param>
/// <param name="WindowTokens">The longest window of retention text.</param>
/// <param name="Strengths">Of the balanced repair, rising.</param>
/// <param name="Factors">Of the uniform one, falling to 0.</param>
internal sealed record StudySize(
    string Name, int? Rows, int? TestRows, int? Epochs, int Positions, int WindowTokens, IReadOnlyList<double> Strengths, IReadOnlyList<double> Factors)
{
    public static readonly StudySize Full = new(
        "full", null, null, null, 1000, 64, [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0]);

    public static readonly StudySize Quick = new("quick", 300, 100, 2, 100, 32, [0.5, 2, 10], [0.7, 0.4, 0]);

    public string Description =>
        $"{(Rows is null ? "" : $"{Rows} training rows, ")}{Positions} hidden tokens in windows of {WindowTokens}, every other option at its default, on the CPU";
}
