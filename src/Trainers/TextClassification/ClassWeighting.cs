namespace MLNetLoRA;

/// <summary>How much a row of each class counts in the training loss.</summary>
public enum ClassWeighting
{
    /// <summary>Every row counts the same. The default.</summary>
    None,

    /// <summary>Rows of a class count rows / (classes · rows of the class): rare classes speak as loudly as frequent ones.</summary>
    Balanced,
}
