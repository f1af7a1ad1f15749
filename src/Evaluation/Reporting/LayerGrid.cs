using System.Globalization;
using System.Text.RegularExpressions;

namespace MLNetLoRA.Evaluation;

/// <summary>Matrices by layer and kind of linear map.</summary>
/// <param name="Layers">Layer numbers, ascending.</param>
/// <param name="Maps">Kinds of linear maps in the model's order.</param>
/// <param name="Counts">Intruders, one row a map, one value a layer; NaN where a layer has no such map.</param>
internal sealed partial record LayerGrid(IReadOnlyList<string> Layers, IReadOnlyList<string> Maps, IReadOnlyList<IReadOnlyList<double>> Counts)
{
    public static LayerGrid Of(IReadOnlyList<SpectralFinding> matrices) => Of(matrices.Select(matrix => (matrix.Name, matrix.Intruders.Count)));

    public static LayerGrid Of(IEnumerable<(string Name, int Intruders)> matrices)
    {
        var places = matrices.Select(matrix => (Place: PlaceOf(matrix.Name), matrix.Intruders)).ToList();
        var layers = places.Select(one => one.Place.Layer).Distinct().Order().ToList();
        var maps = places.Select(one => one.Place.Map).Distinct().ToList();
        var counts = places.GroupBy(one => one.Place).ToDictionary(group => group.Key, group => (double)group.Sum(one => one.Intruders));
        return new LayerGrid(
            [.. layers.Select(layer => layer < 0 ? "–" : layer.ToString(CultureInfo.InvariantCulture))], maps,
            [.. maps.Select(map => (double[])[.. layers.Select(layer => counts.GetValueOrDefault((layer, map), double.NaN))])]);
    }

    // "roberta.encoder.layer.3.attention.self.query": layer 3, map "attention.self.query". Without a number the whole name is the map.
    private static (int Layer, string Map) PlaceOf(string name) =>
        LayerNumber().Match(name) is { Success: true } match && int.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var layer)
            ? (layer, name[(match.Index + match.Length)..])
            : (-1, name);

    [GeneratedRegex(@"\.([0-9]{1,9})\.")]
    private static partial Regex LayerNumber();
}
