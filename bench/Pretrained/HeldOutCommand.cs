using System.CommandLine;
using System.Text;
using MLNetLoRA.Bench.Output;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary><c>bench -- held-out</c>: the held-out loss of each source of the pretraining corpus.</summary>
internal static class HeldOutCommand
{
    public static Command Create()
    {
        var corpus = new Option<string>("--corpus") { Description = "What eng/pretrain/prepare.cs wrote: heldout-SOURCE.txt.", Required = true };
        var baseModel = new Option<string>("--base") { Description = "A checkpoint folder or mini-encoder.", DefaultValueFactory = _ => "mini-encoder" };
        var outputs = new Option<string?>("--out") { Description = "Write the table to PATH.md and its numbers to PATH.json." };
        var command = new Command("held-out", "Loss on held-out text of each source, beside the entropy of its token frequencies.")
        {
            corpus, baseModel, outputs,
        };
        command.SetAction(parsed =>
        {
            var folder = parsed.GetRequiredValue(corpus);
            var files = Directory.GetFiles(folder, "heldout-*.txt").Order(StringComparer.Ordinal).ToList();
            if (files.Count == 0) throw new FileNotFoundException($"{folder}: no heldout-*.txt here; eng/pretrain/prepare.cs writes them.");
            var model = PretrainedCommand.Open(parsed.GetRequiredValue(baseModel));
            var losses = files.ConvertAll(file => HeldOutLoss.Measure(model, file));
            var table = Markdown(model, losses);
            Console.WriteLine(table);
            if (parsed.GetValue(outputs) is not { } path) return 0;
            File.WriteAllText($"{path}.md", table);
            JsonFile.Write($"{path}.json", losses);
            return 0;
        });
        return command;
    }

    private static string Markdown(PretrainedModel model, IReadOnlyList<HeldOutLoss> losses)
    {
        var text = new StringBuilder();
        text.AppendLine($"# Held-out loss: {model.Name}\n");
        text.AppendLine("`dotnet run -c Release --project bench -- held-out --corpus DIR`\n");
        text.AppendLine($"Nats per masked token, 15 % masked, windows of 128 tokens. Weights {model.ContentHash[..12]}….\n");
        text.AppendLine("| source | masked tokens | entropy of token frequencies | loss | gain |");
        text.AppendLine("|---|---:|---:|---:|---:|");
        foreach (var loss in losses)
            text.AppendLine($"| {loss.Source} | {loss.Tokens:N0} | {loss.UnigramEntropy:F2} | {loss.Loss:F2} | {loss.Gain:F2} |");
        var tokens = losses.Sum(loss => loss.Tokens);
        text.AppendLine($"| all, by tokens | {tokens:N0} | {Mean(loss => loss.UnigramEntropy):F2} | {Mean(loss => loss.Loss):F2} | {Mean(loss => loss.Gain):F2} |");
        return text.ToString();

        double Mean(Func<HeldOutLoss, double> value) => losses.Sum(loss => value(loss) * loss.Tokens) / tokens;
    }
}
