using Spectre.Console;

namespace MLNetLoRA.Cli.Inspecting;

/// <summary>An inspection of a decoder for the reader at the terminal: names and values, a line each; then problems.</summary>
internal static class InfoDecoderTable
{
    public static Table Of(InfoDecoderSummary info)
    {
        var table = new Table().NoBorder().HideHeaders().AddColumn("").AddColumn("");
        Add("Base", info.Base);
        Add("Family", $"{info.Family ?? "unknown"}, a decoder");
        if (info.Sizes is { } sizes)
        {
            Add("Network", $"{sizes.Layers} layers, width {sizes.Hidden:N0}, {sizes.Heads} heads over {sizes.KeyValueHeads} for keys and values, {sizes.Intermediate:N0} inside"
                + (sizes.SlidingWindow is { } window ? $", window {window:N0}" : ""));
            Add("Vocabulary", $"{sizes.Vocabulary:N0} rows{(sizes.TiedHead ? ", shared with the head" : "")}");
            Add("Context", $"{sizes.MaxTokens:N0} tokens");
        }
        if (info.Weights is { } weights)
            Add("Weights", $"{string.Join(", ", weights.Types.Select(type => type.Name))}, {weights.Bytes / 1e6:N1} MB in "
                + (weights.Files.Count == 1 ? weights.Files[0] : $"{weights.Files.Count} shards"));
        if (info.Parameters is { } parameters)
            Add("Parameters", $"{parameters.Total:N0}: embeddings {parameters.Embeddings:N0}, decoder {parameters.Decoder:N0}, head {parameters.Head:N0}");
        if (info.Tokenizer is { } tokenizer)
        {
            Add("Tokenizer", $"{tokenizer.Kind}, {tokenizer.Vocabulary:N0} entries");
            Add("Special tokens", string.Join(", ", new[] { ("begin", tokenizer.Begin), ("end", tokenizer.End) }
                .Select(role => $"{role.Item1} {(role.Item2 is { } token ? $"{token.Text} {token.Id}" : "none")}")));
        }
        if (info.LoraTargets is { } targets) Add("LoRA targets", string.Join(", ", targets.Select(target => target.Target)));
        Add("Usable", info.Usable ? "yes" : $"no: {info.Problems.Count} {(info.Problems.Count == 1 ? "problem" : "problems")}");
        return table;

        void Add(string name, string value) => table.AddRow(new Text(name), new Text(Fault.OnOneLine(value)));
    }
}
