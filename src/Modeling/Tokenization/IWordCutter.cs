namespace MLNetLoRA.Modeling;

/// <summary>Cuts text into the words within which byte-level BPE merges. Implementations are immutable and thread-safe.</summary>
internal interface IWordCutter
{
    /// <summary>
    /// The longest word. The merger is quadratic in its length: text never has words this long; an unbroken run of 'a' may, and is merged block
    /// by block, which can differ from Hugging Face only at the seams.
    /// </summary>
    const int MaxWordLength = 4096;

    /// <summary>Length in UTF-16 units, 1 or more, of the first word of a text that is not empty.</summary>
    int WordLength(ReadOnlySpan<char> text);
}
