namespace MLNetLoRA;

/// <summary>The name and size of one kind of linear map in a network.</summary>
/// <param name="Target">Its name in <see cref="LoraOptions.TargetModules"/>.</param>
/// <param name="Inputs">Width of its input, 1 or more.</param>
/// <param name="Outputs">Width of its output, 1 or more.</param>
public sealed record ProjectionShape(string Target, int Inputs, int Outputs)
{
    /// <summary>The largest rank that a change of this matrix can have.</summary>
    public int MaxRank => Math.Min(Inputs, Outputs);
}
