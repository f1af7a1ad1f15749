using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>How far fine-tuning moved a model's hidden states, layer by layer.</summary>
/// <remarks>
/// Immutable and thread-safe; holds no tensor. With fewer examples than the model is wide the alignment of unrelated states is no longer near
/// 0: <see cref="Examples"/> beside <see cref="Width"/> tells.
/// </remarks>
public sealed record RepresentationDriftReport
{
    /// <summary>What the base is called.</summary>
    public required string BaseName { get; init; }

    /// <summary>How the model was fine-tuned: "lora" or "full".</summary>
    public required string Method { get; init; }

    /// <summary>Which hidden states were compared.</summary>
    public required ComparedStates States { get; init; }

    /// <summary>
    /// Linear centred kernel alignment of the base's and the tuned model's states, in [0, 1]: before the first layer, then after each. 1 is the
    /// same up to rotation, scale and shift; NaN where the states of all examples are equal.
    /// </summary>
    public required IReadOnlyList<double> Alignments { get; init; }

    /// <summary>Hidden states compared in each layer.</summary>
    public required long Examples { get; init; }

    /// <summary>Numbers in one hidden state.</summary>
    public required int Width { get; init; }

    /// <summary>Texts read.</summary>
    public required int Texts { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>1 - alignment in the last layer: 0 is no drift.</summary>
    public double LastLayerDrift => 1 - Alignments[^1];

    /// <summary>The report as a document, with the alignment drawn layer by layer.</summary>
    public ReportDocument ToDocument() => RepresentationDriftDocument.Of(this);
}
