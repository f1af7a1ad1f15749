namespace MLNetLoRA;

/// <summary>Why a generated text ends.</summary>
public enum GenerationEnd
{
    /// <summary>The model said that the text is over.</summary>
    EndToken,

    /// <summary>One of <see cref="GenerationOptions.StopStrings"/> came.</summary>
    StopString,

    /// <summary>There are <see cref="GenerationOptions.MaxNewTokens"/> new tokens.</summary>
    MaxNewTokens,

    /// <summary>The model's context holds no more tokens.</summary>
    ContextFull,
}

/// <summary>What a decoder made of a prompt.</summary>
/// <param name="PromptIds">The prompt as the decoder read it.</param>
/// <param name="Ids">The new tokens, the one that ended the text included.</param>
/// <param name="Text">What they say, without the prompt, up to the stop string where one came.</param>
/// <param name="End">Why it ends.</param>
public sealed record GeneratedText(IReadOnlyList<int> PromptIds, IReadOnlyList<int> Ids, string Text, GenerationEnd End);
