namespace MLNetLoRA.Modeling;

/// <summary>Finds the matrices of a base that an adapter's modules mean, whatever prefix either of them was saved with.</summary>
internal static class AdapterModules
{
    /// <summary>The module by the base's key: the same name, or else the only one of which one is the end of the other.</summary>
    /// <exception cref="InvalidDataException">A module means no matrix, several, or one that another module means; all faults together.</exception>
    public static Dictionary<string, string> ByBaseKey(PeftFile adapter, Checkpoint baseCheckpoint)
    {
        var keyOf = baseCheckpoint.Entries.Keys.ToLookup(MatrixKeys.NameOf, StringComparer.Ordinal);
        var ends = baseCheckpoint.Entries.Keys
            .SelectMany(key => Ends(MatrixKeys.NameOf(key)).Select(end => (end, key)))
            .ToLookup(pair => pair.end, pair => pair.key, StringComparer.Ordinal);
        var modules = new Dictionary<string, string>(StringComparer.Ordinal);
        var faults = new List<string>();
        foreach (var module in adapter.Modules.Order(NaturalOrder.Instance))
        {
            var candidates = keyOf.Contains(module) ? keyOf[module].ToList() : [.. ends[module].Concat(Ends(module).SelectMany(end => keyOf[end]))];
            if (candidates is not [var key]) faults.Add(candidates.Count == 0
                ? $"{MessageText.Quote(module)} is no matrix of the base"
                : $"{MessageText.Quote(module)} may be any of {MessageText.List([.. candidates.Order(NaturalOrder.Instance)])}");
            else if (Misfit(module, adapter, baseCheckpoint.Entries[key]) is { } misfit) faults.Add(misfit);
            else if (!modules.TryAdd(key, module)) faults.Add($"{MessageText.Quote(module)} and {MessageText.Quote(modules[key])} both mean {MessageText.Quote(key)}");
        }
        if (faults.Count > 0)
            throw new InvalidDataException($"{adapter.Source}: the adapter was made for another base than {baseCheckpoint.Source}: {MessageText.Some(faults)}.");
        return modules;
    }

    // "a.b.c" ends in "b.c" and "c", and not in itself.
    private static IEnumerable<string> Ends(string name)
    {
        for (var dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1)) yield return name[(dot + 1)..];
    }

    private static string? Misfit(string module, PeftFile adapter, SafetensorsEntry entry)
    {
        var (rows, columns) = adapter.Changed(module);
        return entry.Shape is [var height, var width] && (height, width) == (rows, columns)
            ? null
            : $"{MessageText.Quote(module)} changes a ({rows}, {columns}) matrix, the base's is {entry.ShapeText}";
    }
}
