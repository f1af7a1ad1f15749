using System.CommandLine;
using MLNetLoRA.Bench.Output;
using MLNetLoRA.Bench.Pretrained;

namespace MLNetLoRA.Bench.Balancing;

/// <summary><c>bench -- balance</c>.</summary>
internal static class BalanceCommand
{
    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "Folder with sst2/ and trec/, TSV files with a label and a text column.", Required = true };
        var samples = new Option<string>("--samples") { Description = "The samples' data: definitions and retention text.", DefaultValueFactory = _ => "samples/data" };
        var baseModel = new Option<string>("--base") { Description = "A checkpoint folder or mini-encoder.", DefaultValueFactory = _ => "mini-encoder" };
        var seeds = new Option<int[]>("--seeds") { Description = "Seeds.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 3] };
        var tasks = Names("--tasks", BalanceTask.All.Select(task => task.Name));
        var methods = Names("--methods", TunedBy.All.Select(method => method.Name));
        var runs = new Option<string>("--runs")
        {
            Description = "One small file per run goes here; those that are there are not repeated.",
            DefaultValueFactory = _ => "artifacts/bench/balance",
        };
        var quick = new Option<bool>("--quick") { Description = "Few rows, epochs and tokens: shows that the study runs, not what comes out.", Arity = ArgumentArity.Zero };
        var outputs = new Option<string?>("--out") { Description = "Write the table to PATH.md and its numbers to PATH.json." };
        var command = new Command("balance", "The balanced repair against uniform shrinking, at equal accuracy.") { data, samples, baseModel, seeds, tasks, methods, runs, quick, outputs };
        command.SetAction(parsed =>
        {
            var model = PretrainedCommand.Open(parsed.GetRequiredValue(baseModel));
            var size = parsed.GetValue(quick) ? StudySize.Quick : StudySize.Full;
            var folders = new StudyFolders(parsed.GetRequiredValue(data), parsed.GetRequiredValue(samples), Path.Combine(parsed.GetRequiredValue(runs), size.Name));
            var chosenTasks = BalanceTask.All.Where(task => parsed.GetRequiredValue(tasks).Contains(task.Name)).ToList();
            var chosenMethods = TunedBy.All.Where(method => parsed.GetRequiredValue(methods).Contains(method.Name)).ToList();
            var found = new BalanceStudy(model, folders, size).Run(chosenTasks, chosenMethods, parsed.GetRequiredValue(seeds));
            var table = BalanceReport.Markdown(model, chosenTasks, chosenMethods, found, $"Seeds {string.Join(", ", parsed.GetRequiredValue(seeds))}; {size.Description}.");
            Console.WriteLine(table);
            if (parsed.GetValue(outputs) is not { } path) return 0;
            File.WriteAllText($"{path}.md", table);
            JsonFile.Write($"{path}.json", found);
            return 0;
        });
        return command;
    }

    private static Option<string[]> Names(string name, IEnumerable<string> all)
    {
        string[] words = [.. all];
        var option = new Option<string[]>(name)
        {
            Description = $"Some of {string.Join(", ", words)} (default: all).",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => words,
        };
        return option.AcceptOnlyFromAmong(words);
    }
}
