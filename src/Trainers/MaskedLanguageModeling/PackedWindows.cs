using MLNetLoRA.Modeling;

namespace MLNetLoRA.Trainers;

/// <summary>Cuts documents into windows of equal length, so that pretraining spends nothing on padding.</summary>
/// <remarks>
/// The "full sentences" form of arXiv 1907.11692, section 4.2: paragraphs follow each other with a separator between them, a window may
/// cross them; the end of a document closes a window that is more than half full.
/// </remarks>
internal static class PackedWindows
{
    /// <summary>Windows of at most <paramref name="maxTokens"/> tokens, special tokens included.</summary>
    /// <param name="paragraphs">Paragraphs in reading order; an empty string ends a document.</param>
    /// <param name="tokenizer">Gives the ids.</param>
    /// <param name="maxTokens">8 or more.</param>
    /// <param name="checkCancelled">Called before each paragraph; may throw. Null for never.</param>
    public static List<EncodedText> From(IEnumerable<string> paragraphs, TextTokenizer tokenizer, int maxTokens, Action? checkCancelled = null)
    {
        var windows = new List<EncodedText>();
        var pending = new List<int>();
        var room = maxTokens - 2;                                   // <s> … </s>
        foreach (var paragraph in paragraphs)
        {
            checkCancelled?.Invoke();
            if (paragraph.Length == 0)
            {
                if (pending.Count > room / 2) CloseRest();
                continue;
            }
            var ids = tokenizer.EncodeRaw(paragraph);
            if (ids.Length == 0) continue;
            if (pending.Count > 0) pending.Add(tokenizer.SeparatorId);
            pending.AddRange(ids);
            CloseFull();
        }
        if (pending.Count > 0) CloseRest();
        return windows;

        // From the front to the back and removed at once: a book may come as one paragraph.
        void CloseFull()
        {
            var start = 0;
            for (; pending.Count - start >= room; start += room) Add(start, room);
            pending.RemoveRange(0, start);
        }

        void CloseRest()
        {
            Add(0, pending.Count);
            pending.Clear();
        }

        // A window of special tokens alone has nothing to guess.
        void Add(int start, int count)
        {
            var ids = pending.GetRange(start, count);
            if (ids.All(tokenizer.IsSpecial)) return;
            windows.Add(new EncodedText([tokenizer.ClassifyId, .. ids, tokenizer.SeparatorId], null, WasTruncated: false));
        }
    }
}
