namespace MLNetLoRA;

/// <summary>Which hidden states of a text are compared.</summary>
public enum ComparedStates
{
    /// <summary>Those of all tokens of the text; special tokens are left out.</summary>
    Tokens,

    /// <summary>That of the first, special token, which speaks for the text: what a classification head reads.</summary>
    FirstToken,
}
