namespace MLNetLoRA.Modeling;

/// <summary>What every part of a decoder is built with.</summary>
/// <param name="Config">Sizes and constants.</param>
/// <param name="Projections">Fills the linear slots.</param>
/// <param name="Dropout">Masks for training; null in a network that only scores.</param>
public sealed record DecoderContext(DecoderConfig Config, IProjectionFactory Projections, RandomDropout? Dropout)
{
    /// <summary>How a matrix that no checkpoint holds is drawn.</summary>
    internal Initialization MatrixInitialization => Initialization.Normal(Config.InitializerRange);
}
