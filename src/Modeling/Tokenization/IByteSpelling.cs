namespace MLNetLoRA.Modeling;

/// <summary>A subword model whose tokens spell bytes one after the other, so that text can be read off while tokens still come in.</summary>
internal interface IByteSpelling
{
    /// <summary>Appends the bytes of UTF-8 text that a token of the vocabulary spells; a character may be spread over several tokens.</summary>
    /// <param name="token">The token.</param>
    /// <param name="isFirst">Whether it begins a text, which may not begin with the space that tokens of words carry.</param>
    /// <param name="bytes">Appended to.</param>
    void AppendBytes(string token, bool isFirst, List<byte> bytes);
}
