namespace MLNetLoRA;

/// <summary>How the order of runs by something in their weights resembles their order by forgetting.</summary>
/// <param name="Over">Which runs.</param>
/// <param name="Measure">What: "intruders", "energy share" or "‖ΔW‖".</param>
/// <param name="WithForgetting">Spearman's correlation.</param>
public sealed record StudyCorrelation(string Over, string Measure, RankCorrelation WithForgetting);
