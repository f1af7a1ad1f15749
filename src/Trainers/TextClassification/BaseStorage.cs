namespace MLNetLoRA;

/// <summary>What a saved model holds of the pretrained model that it started from.</summary>
public enum BaseStorage
{
    /// <summary>All of it, language-model head included: the file stands alone and can be inspected. The default.</summary>
    Embedded,

    /// <summary>Its folder and content hash: a small file that needs the same folder where it is loaded.</summary>
    Reference,

    /// <summary>Only its name. For full fine-tuning; what compares with the base later asks for it by that name.</summary>
    TunedOnly,
}
