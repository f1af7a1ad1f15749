namespace MLNetLoRA;

/// <summary>What a uniform control has in common with the rescaling it stands beside.</summary>
public enum RescalingMatch
{
    /// <summary>‖W′ − W‖: how far the tuned weights move. The change shrinks by the relative distance, and never below nothing.</summary>
    Distance,

    /// <summary>
    /// ‖ΔW′‖: how large the change is afterwards. Where a rescaling makes the change larger, this control has to grow it too.
    /// </summary>
    Norm,

    /// <summary>Nothing: the scale itself is the factor of the whole change, so that 0 gives the base's matrices back. No intruder is asked for.</summary>
    Factor,
}
