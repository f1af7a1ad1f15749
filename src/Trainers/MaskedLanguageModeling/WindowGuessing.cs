namespace MLNetLoRA.Trainers;

/// <summary>What of a window a model has to guess.</summary>
/// <param name="MaskedShare">Share of each window's tokens, above 0 and below 1.</param>
/// <param name="CausalShare">Share of each batch's windows of which every next token is guessed instead, in [0, 1].</param>
/// <param name="WholeWords">Whether all tokens of a word are masked together.</param>
internal sealed record WindowGuessing(double MaskedShare, double CausalShare, bool WholeWords)
{
    /// <summary>Weight of guessing a masked window's words from its first token; 0 leaves that out.</summary>
    public double BagOfWordsWeight { get; init; }
}
