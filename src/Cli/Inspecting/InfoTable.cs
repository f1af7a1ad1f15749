using System.Globalization;
using Spectre.Console;

namespace MLNetLoRA.Cli.Inspecting;

/// <summary>An inspection for the reader at the terminal: names and values, a line each; then notes and problems.</summary>
internal static class InfoTable
{
    private const int MostLabels = 8;

    public static Table Of(InfoSummary info)
    {
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        Add("Base", info.Base);
        Add("Family", info.Family ?? "unknown");
        if (info.Sizes is { } sizes)
        {
            Add("Network", $"{sizes.Layers} layers, width {sizes.Hidden:N0}, {sizes.Heads} heads, {sizes.Intermediate:N0} inside"
                + (sizes.Embedding == sizes.Hidden ? "" : $", embeddings {sizes.Embedding:N0} wide"));
            Add("Vocabulary", $"{sizes.Vocabulary:N0} rows");
            Add("Longest text", $"{sizes.MaxTokens:N0} tokens ({sizes.Positions:N0} positions)");
        }
        if (info.Weights is { } weights)
            Add("Weights", $"{string.Join(", ", weights.Types.Select(type => type.Name))}, {weights.Bytes / 1e6:N1} MB in {Files(weights.Files)}");
        if (info.Parameters is { } parameters)
            Add("Parameters", $"{parameters.Total:N0}: embeddings {parameters.Embeddings:N0}, encoder {parameters.Encoder:N0}, heads {parameters.Heads:N0}");
        if (info.Heads is { } heads) Add("Heads", Describe(heads));
        if (info.Tokenizer is { } tokenizer)
        {
            var special = tokenizer.SpecialTokens;
            InfoToken[] tokens = [special.Classify, special.Separator, special.Pad, special.Unknown, special.Mask];
            Add("Tokenizer", $"{tokenizer.Kind}, {tokenizer.Vocabulary:N0} entries");
            Add("Special tokens", string.Join(", ", tokens.Select(token => $"{token.Text} {token.Id}")));
        }
        if (info.LoraTargets is { } targets) Add("LoRA targets", string.Join(", ", targets.Select(target => target.Target)));
        if (info.LearningRates is { } rates)
            Add("Learning rates", string.Create(CultureInfo.InvariantCulture, $"full {rates.Full:G3}, LoRA {rates.Lora:G3} at alpha {rates.LoraAlpha:G3}"));
        foreach (var note in info.Notes) Add("Note", note);
        Add("Usable", info.Usable ? "yes" : $"no: {info.Problems.Count} {(info.Problems.Count == 1 ? "problem" : "problems")}");
        return table;

        void Add(string name, string value) => table.AddRow(new Text(name), new Text(Fault.OnOneLine(value)));
    }

    private static string Files(IReadOnlyList<string> files) => files.Count == 1 ? files[0] : $"{files.Count} shards";

    private static string Describe(InfoHeads heads)
    {
        List<string> found = [];
        if (heads.MaskedLm) found.Add("masked-LM");
        if (heads.Classification is { } head)
        {
            found.Add($"classification into {head.Classes}" + (head.Labels is { } labels
                ? $" ({string.Join(", ", labels.Take(MostLabels))}{(labels.Count > MostLabels ? ", …" : "")})"
                : ""));
        }
        return found.Count > 0 ? string.Join("; ", found) : "none";
    }
}
