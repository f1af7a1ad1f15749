using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>The scores of the row a cursor or mapped row stands on, computed when first asked for: (classes).</summary>
internal delegate ReadOnlySpan<float> CurrentScores();

/// <summary>Getters of computed columns over the scores of the current row.</summary>
internal static class ScoreGetters
{
    /// <summary>The class of the highest score, as a key.</summary>
    public static Delegate Highest(CurrentScores scores) => (ValueGetter<uint>)((ref uint key) => key = KeyOfHighest(scores()));

    /// <summary>The class of the highest score, as one of the classes' values.</summary>
    public static Delegate HighestValue(CurrentScores scores, LabelValues labels) => labels.CreateGetter(() => KeyOfHighest(scores()));

    /// <summary>All scores, or the first <paramref name="count"/> of them.</summary>
    public static Delegate Vector(CurrentScores scores, int? count = null) => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> vector) =>
    {
        var current = scores();
        if (count is { } first) current = current[..first];
        var editor = VBufferEditor.Create(ref vector, current.Length);
        current.CopyTo(editor.Values);
        vector = editor.Commit();
    });

    /// <summary>The last score alone.</summary>
    public static Delegate Last(CurrentScores scores) => (ValueGetter<float>)((ref float value) => value = scores()[^1]);

    /// <summary>A getter as the type the caller asked for.</summary>
    /// <exception cref="InvalidOperationException">The column holds another type.</exception>
    public static ValueGetter<TValue> Cast<TValue>(Delegate getter, DataViewSchema.Column column) =>
        getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
            $"Column '{column.Name}' holds {column.Type.RawType}, not {typeof(TValue)}; ask for a getter of that type.");

    /// <returns>The class of the highest score as a key, from 1; the first of equals; 0, a missing key, when every score is NaN.</returns>
    private static uint KeyOfHighest(ReadOnlySpan<float> scores)
    {
        var highest = -1;
        for (var i = 0; i < scores.Length; i++)
            if (!float.IsNaN(scores[i]) && (highest < 0 || scores[i] > scores[highest])) highest = i;
        return (uint)(highest + 1);
    }
}
