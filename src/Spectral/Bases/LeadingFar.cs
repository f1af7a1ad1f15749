using static TorchSharp.torch;

namespace MLNetLoRA.Spectral;

/// <summary>What a basis of leading triples has beyond a complete one.</summary>
/// <param name="Vectors">Singular vectors on the longer side (far, n).</param>
/// <param name="Errors">How far each vector on the shorter side may be off, as the sine of an angle.</param>
internal sealed record LeadingFar(Tensor Vectors, double[] Errors);
