namespace MLNetLoRA;

/// <summary>How an adapter's A begins; B begins at zero in every case, so a new adapter changes nothing.</summary>
public enum LoraInitialization
{
    /// <summary>Uniform in ±1/√in, PEFT's default (Kaiming uniform with a = √5).</summary>
    KaimingUniform = 0,

    /// <summary>Normal with mean 0 and standard deviation 1/rank, PEFT's "gaussian".</summary>
    Gaussian = 1,

    /// <summary>
    /// Orthonormal rows, drawn uniformly: no direction of the input counts twice, and none louder than another. With
    /// <see cref="LoraOptions.FreezesA"/> the setting in which arXiv 2410.21228, appendix J, finds far fewer intruder dimensions.
    /// </summary>
    Orthogonal = 2,
}
