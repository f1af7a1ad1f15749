using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>Reads text off token by token, as a generator makes them.</summary>
/// <remarks>
/// A character may be spread over several tokens: its bytes are held back until it is whole. All that is returned, one after the other, is what
/// <see cref="TextTokenizer.Decode"/> gives for all ids. One thread at a time.
/// </remarks>
public sealed class IncrementalText
{
    private readonly TextTokenizer _tokenizer;
    private readonly System.Text.Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private readonly List<byte> _bytes = [];
    private bool _isFirst;

    internal IncrementalText(TextTokenizer tokenizer, bool continuesText) => (_tokenizer, _isFirst) = (tokenizer, !continuesText);

    /// <summary>The text that is whole with this token; often empty.</summary>
    /// <param name="id">A token id; special tokens are no text, one that is no token is U+FFFD.</param>
    public string Append(int id)
    {
        if (_tokenizer.IsSpecial(id)) return "";
        if (_tokenizer.SpellingOf(id) is not { } spelling)
        {
            var before = Finish();
            _isFirst = false;
            return before + _tokenizer.ContentOf(id);
        }
        spelling.AppendBytes(_tokenizer.ContentOf(id), _isFirst, _bytes);
        _isFirst = false;
        return Flush(isEnd: false);
    }

    /// <summary>What is held back, at the end: U+FFFD for a character that was never finished.</summary>
    public string Finish() => Flush(isEnd: true);

    private string Flush(bool isEnd)
    {
        byte[] bytes = [.. _bytes];
        _bytes.Clear();
        var text = new char[_utf8.GetCharCount(bytes, isEnd)];
        return new string(text, 0, _utf8.GetChars(bytes, text, isEnd));
    }
}
