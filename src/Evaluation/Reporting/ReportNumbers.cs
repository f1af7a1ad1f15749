using System.Globalization;

namespace MLNetLoRA.Evaluation;

/// <summary>How reports spell numbers, the same in every culture.</summary>
internal static class ReportNumbers
{
    private const string Missing = "–";

    /// <summary>An accuracy or share: three digits.</summary>
    public static string Share(double value) => Fixed(value, "F3");

    /// <summary>A difference, with its sign.</summary>
    public static string Difference(double value) => Fixed(value, "+0.000;-0.000;0.000");

    /// <summary>A loss in nats.</summary>
    public static string Nats(double value) => Fixed(value, "F3");

    /// <summary>A loss, or a difference of losses that may be small, in nats: four digits.</summary>
    public static string Forgetting(double value) => Fixed(value, "F4");

    /// <summary>A whole number.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A time.</summary>
    public static string Seconds(double value) => Fixed(value, "F1");

    /// <summary>A norm or another number of any size: four significant digits.</summary>
    public static string General(double value) => Fixed(value, "G4");

    /// <summary>Which columns hold nothing but numbers.</summary>
    public static IReadOnlyList<bool> NumericColumns(ReportTable table) =>
        [.. table.Columns.Select((_, column) => table.Rows.Count > 0 && table.Rows.All(row => column < row.Count && IsNumber(row[column])))];

    private static string Fixed(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : Missing;

    private static bool IsNumber(string cell) => cell is Missing || double.TryParse(cell, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out _);
}
