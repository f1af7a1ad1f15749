namespace MLNetLoRA;

/// <summary>Which parameters of the pretrained model fine-tuning may change. The classification head is trained by every method.</summary>
public enum FineTuningMethod
{
    /// <summary>None: low-rank corrections are learned beside the frozen weights (arXiv 2106.09685).</summary>
    Lora,

    /// <summary>All of them.</summary>
    Full,
}
