namespace MLNetLoRA;

/// <summary>What of a change is rescaled.</summary>
public enum RescalingKind
{
    /// <summary>The highest-ranked intruder of each matrix: the paper's intervention.</summary>
    Top,

    /// <summary>Every intruder among the leading singular vectors: what PEFT's reduce_intruder_dimension does.</summary>
    All,

    /// <summary>
    /// A control: instead of the top intruder the pretrained direction nearest to it in singular value, of two equally near ones the
    /// higher-ranked. Not measurable where none of the leading vectors is pretrained.
    /// </summary>
    Neighbour,

    /// <summary>
    /// A control: the whole change of each matrix times one factor, so that it moves as far as its intruders' rescaling would.
    /// </summary>
    Uniform,

    /// <summary>
    /// A control: the changes of all matrices times one factor, so that together they move as far as the intruders' rescaling would.
    /// </summary>
    UniformGlobal,
}
