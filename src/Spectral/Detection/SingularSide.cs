namespace MLNetLoRA;

/// <summary>Which singular vectors are compared.</summary>
public enum SingularSide
{
    /// <summary>Left ones, in the space of a layer's outputs; the paper's choice.</summary>
    Left,

    /// <summary>Right ones, in the space of a layer's inputs.</summary>
    Right,
}
