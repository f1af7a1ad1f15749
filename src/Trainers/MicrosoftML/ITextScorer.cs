namespace MLNetLoRA.Trainers;

/// <summary>The text of one row, as the model reads it.</summary>
/// <param name="First">The sentence, or the first of a pair; a missing value arrives as the empty string.</param>
/// <param name="Second">The second sentence of a pair; null when the model reads one sentence.</param>
internal readonly record struct TextRow(string First, string? Second);

/// <summary>Scores rows of text in batches: all that ML.NET's side of a text model knows about its model.</summary>
/// <remarks>Implementations are thread-safe: cursors, row mappers and prediction engines may score at the same time.</remarks>
internal interface ITextScorer
{
    /// <summary>The width of a row of scores, 1 or more: of a classifier the number of classes, of an encoder what its columns are made from.</summary>
    int ClassCount { get; }

    /// <summary>Scores <paramref name="rows"/>, each by itself: a row's scores do not depend on its neighbours in the batch.</summary>
    /// <param name="rows">One row or more.</param>
    /// <param name="scores">Filled, row-major: (rows, <see cref="ClassCount"/>).</param>
    void Score(ReadOnlySpan<TextRow> rows, Span<float> scores);
}
