using System.CommandLine;
using MLNetLoRA.Bench.Output;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary><c>bench -- pretrained</c>.</summary>
internal static class PretrainedCommand
{
    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "Folder with sst2/ and trec/, TSV files with a label and a text column.", Required = true };
        var baseModel = new Option<string>("--base") { Description = "A checkpoint folder or mini-encoder.", DefaultValueFactory = _ => "mini-encoder" };
        var seeds = new Option<int[]>("--seeds") { Description = "Seeds.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 3] };
        var tasks = Names("--tasks", ClassificationTask.All.Select(task => task.Name));
        var contenders = Names("--contenders", Contender.All.Select(contender => contender.Name));
        var runs = new Option<string>("--runs")
        {
            Description = "One small file per measurement goes here; those that are there are not repeated.",
            DefaultValueFactory = _ => "artifacts/bench/pretrained",
        };
        var outputs = new Option<string?>("--out") { Description = "Write the table to PATH.md and its numbers to PATH.json." };
        var command = new Command("pretrained", "What pretraining is worth: fine-tuning from pretrained and from random weights, beside n-grams.")
        {
            data, baseModel, seeds, tasks, contenders, runs, outputs,
        };
        command.SetAction(parsed =>
        {
            var model = Open(parsed.GetRequiredValue(baseModel));
            var chosenTasks = ClassificationTask.All.Where(task => parsed.GetRequiredValue(tasks).Contains(task.Name)).ToList();
            var chosenContenders = Contender.All.Where(contender => parsed.GetRequiredValue(contenders).Contains(contender.Name)).ToList();
            var chosenSeeds = parsed.GetRequiredValue(seeds);
            var measurements = new PretrainedStudy(model, parsed.GetRequiredValue(data), parsed.GetRequiredValue(runs))
                .Run(chosenTasks, chosenContenders, chosenSeeds);
            var table = PretrainedReport.Markdown(model, chosenTasks, chosenContenders, chosenSeeds, measurements);
            Console.WriteLine(table);
            if (parsed.GetValue(outputs) is not { } path) return 0;
            File.WriteAllText($"{path}.md", table);
            JsonFile.Write($"{path}.json", measurements);
            return 0;
        });
        return command;
    }

    internal static PretrainedModel Open(string name) => name == "mini-encoder" ? PretrainedModel.MiniEncoder : PretrainedModel.FromFolder(name);

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
