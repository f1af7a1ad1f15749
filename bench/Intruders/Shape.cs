using System.CommandLine;
using System.Globalization;

namespace MLNetLoRA.Bench.Intruders;

/// <summary>A matrix shape as text: 768x3072 has 768 rows.</summary>
internal readonly record struct Shape(int Rows, int Columns)
{
    public override string ToString() => $"{Rows}x{Columns}";

    /// <summary>An option that takes several shapes.</summary>
    public static Option<Shape[]> Option(string name, params Shape[] byDefault) => new(name)
    {
        Description = "Shapes, ROWSxCOLUMNS.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => byDefault,
        CustomParser = result =>
        {
            var shapes = result.Tokens.Select(token => Parse(token.Value)).ToList();
            if (shapes.Contains(null)) result.AddError($"{name}: a shape is ROWSxCOLUMNS, 768x3072 for example; each at least 16.");
            return [.. shapes.OfType<Shape>()];
        },
    };

    private static Shape? Parse(string text)
    {
        var sizes = text.Split('x');
        return sizes.Length == 2 && Size(sizes[0]) is { } rows && Size(sizes[1]) is { } columns ? new Shape(rows, columns) : null;
    }

    private static int? Size(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size >= 16 ? size : null;
}
