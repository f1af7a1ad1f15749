using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Checks the columns a component asks for, at the door, and says all that is wrong in one exception.</summary>
/// <remarks>Works on what <see cref="DataViewSchema"/> (Fit, Transform) and <see cref="SchemaShape"/> (pipelines not yet fitted) both know.</remarks>
internal sealed class ColumnCheck
{
    private enum Content { Text, Key, Other }

    private readonly record struct Column(string Name, string Type, Content Content);

    private readonly string _component;
    private readonly IReadOnlyList<Column> _columns;
    private readonly List<string> _faults = [];

    /// <param name="component">The component as the user typed it.</param>
    /// <param name="schema">Its input; columns hidden by a later one of the same name do not count.</param>
    public ColumnCheck(string component, DataViewSchema schema)
    {
        _component = component;
        _columns = [.. schema.Where(c => !c.IsHidden).Select(c => new Column(c.Name, Describe(c.Type), ContentOf(c.Type)))];
    }

    /// <param name="component">The component as the user typed it.</param>
    /// <param name="shape">What is known of its input before anything is fitted.</param>
    public ColumnCheck(string component, SchemaShape shape)
    {
        _component = component;
        _columns = [.. shape.Select(c => new Column(c.Name, Describe(c), ContentOf(c)))];
    }

    /// <summary>What is wrong so far, each as one sentence.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>Asks for the text columns a classifier reads, and for two names to write to.</summary>
    public ColumnCheck Require(TextColumns columns)
    {
        RequireText(columns.Sentence1, "Sentence1ColumnName");
        if (columns.Sentence2 is not null) RequireText(columns.Sentence2, "Sentence2ColumnName");
        if (columns.Score == columns.PredictedLabel)
            _faults.Add($"ScoreColumnName and OutputColumnName are both '{columns.Score}'; give the two columns different names.");
        return this;
    }

    /// <summary>Asks for a column of text, one sentence a row.</summary>
    /// <param name="name">The column.</param>
    /// <param name="option">The option that names it, for the error: <c>Sentence1ColumnName</c>.</param>
    public ColumnCheck RequireText(string name, string option)
    {
        if (Find(name) is not { } column)
            _faults.Add($"There is no column '{name}'; {_component} reads text. Set {option} to the raw text column ({Candidates(Content.Text, "text")}).");
        else if (column.Content != Content.Text)
            _faults.Add($"Column '{name}' holds {column.Type}; {_component} reads text. Set {option} to the raw text column ({Candidates(Content.Text, "text")}).");
        return this;
    }

    /// <summary>Asks for a label with a known set of values: a key column.</summary>
    public ColumnCheck RequireLabel(string name)
    {
        if (Find(name) is not { } column)
            _faults.Add($"There is no column '{name}'; {_component} learns from a key column. Set LabelColumnName to the label ({Candidates(Content.Key, "key")}).");
        else if (column.Content != Content.Key)
            _faults.Add($"Column '{name}' holds {column.Type}; {_component} learns from a key. "
                + $"Append mlContext.Transforms.Conversion.MapValueToKey(\"{name}\") before the trainer.");
        return this;
    }

    /// <summary>Asks for labels of any type: a validation set need not map its labels to keys.</summary>
    public ColumnCheck RequireAnyLabel(string name)
    {
        if (Find(name) is null)
            _faults.Add($"There is no column '{name}'; give the labels the name they have in the training data.");
        return this;
    }

    /// <exception cref="ArgumentException">A required column is missing or holds something else; every fault is in the message.</exception>
    public void ThrowIfFaulty(IExceptionContext host, string parameter)
    {
        if (_faults.Count > 0) throw host.ExceptParam(parameter, string.Join(Environment.NewLine, _faults));
    }

    private Column? Find(string name)
    {
        foreach (var column in _columns)
            if (column.Name == name) return column;
        return null;
    }

    private string Candidates(Content content, string word)
    {
        const int Listed = 10;
        var names = _columns.Where(c => c.Content == content).Select(c => $"'{c.Name}'").ToArray();
        if (names.Length == 0) return $"there are no {word} columns here";
        return $"{word} columns here: {string.Join(", ", names.Take(Listed))}{(names.Length > Listed ? ", …" : "")}";
    }

    private static Content ContentOf(DataViewType type) => type switch
    {
        TextDataViewType => Content.Text,
        KeyDataViewType => Content.Key,
        _ => Content.Other,
    };

    private static Content ContentOf(SchemaShape.Column column) =>
        column.Kind != SchemaShape.Column.VectorKind.Scalar ? Content.Other
        : column.IsKey ? Content.Key
        : ContentOf(column.ItemType);

    /// <summary>The type as the errors name it: Text, Single, Key, Vector&lt;Single&gt;.</summary>
    internal static string Describe(DataViewType type) => type switch
    {
        VectorDataViewType vector => $"Vector<{Describe(vector.ItemType)}>",
        KeyDataViewType => "Key",
        TextDataViewType => "Text",
        _ => type.ToString() ?? type.GetType().Name,
    };

    private static string Describe(SchemaShape.Column column)
    {
        var item = column.IsKey ? "Key" : Describe(column.ItemType);
        return column.Kind == SchemaShape.Column.VectorKind.Scalar ? item : $"Vector<{item}>";
    }
}
