namespace MLNetLoRA;

/// <summary>What becomes of a task's adapter when the next task begins.</summary>
public enum AdapterHandling
{
    /// <summary>It is merged into the weights, and the next task starts a new one: one model for all tasks, which can forget (arXiv 2410.21228, section 6).</summary>
    Merge,

    /// <summary>
    /// It is put aside, and the next task starts a new one on the original base: one adapter a task. Nothing is forgotten and nothing handed on,
    /// but whoever scores must know which task a text belongs to. The upper bound to hold the other against.
    /// </summary>
    Apart,
}
