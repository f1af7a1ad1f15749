using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>What every part of an encoder is built with.</summary>
/// <param name="Config">Sizes and constants.</param>
/// <param name="Projections">Fills the linear slots.</param>
/// <param name="Dropout">Masks for training; null in a network that only scores.</param>
public sealed record NetworkContext(EncoderConfig Config, IProjectionFactory Projections, RandomDropout? Dropout)
{
    /// <summary>How a matrix that no checkpoint holds is drawn.</summary>
    internal Initialization MatrixInitialization => Initialization.Normal(Config.InitializerRange);

    /// <summary>The configured activation, element by element.</summary>
    internal Tensor Activate(Tensor x) => Config.HiddenActivation switch
    {
        HiddenActivation.Gelu => nn.functional.gelu(x),
        HiddenActivation.GeluTanh => nn.functional.gelu(x, GELU.Approximate.tanh),
        HiddenActivation.Relu => nn.functional.relu(x),
        _ => throw new InvalidDataException($"hidden_act {Config.HiddenActivation} has no formula here."),
    };

    /// <summary>Hidden dropout while <paramref name="training"/>, else x itself.</summary>
    internal Tensor DropHidden(Tensor x, bool training) => Drop(x, Config.HiddenDropout, training);

    /// <summary>Dropout while <paramref name="training"/>, else x itself.</summary>
    internal Tensor Drop(Tensor x, double probability, bool training) =>
        training && Dropout is not null ? Dropout.Apply(x, probability) : x;
}
