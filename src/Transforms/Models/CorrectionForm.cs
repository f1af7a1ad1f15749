namespace MLNetLoRA.Transforms;

/// <summary>What a correction does to a matrix.</summary>
internal enum CorrectionForm
{
    /// <summary>Low-rank factors beside it: NAME.A (rank, in) and NAME.B (out, rank), of scale 1.</summary>
    Beside,

    /// <summary>Another A in its change: NAME.A (rank, in).</summary>
    Down,

    /// <summary>Something added to all of it: NAME.shift (out, in).</summary>
    Shift,
}
