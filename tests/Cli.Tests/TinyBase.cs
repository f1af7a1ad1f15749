using MLNetLoRA.Cli.Tests;
using MLNetLoRA.Testing;

[assembly: AssemblyFixture(typeof(TinyBase))]

namespace MLNetLoRA.Cli.Tests;

/// <summary>A tiny checkpoint and a classifier trained from it, made once by the program itself.</summary>
public sealed class TinyBase : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyBase()
    {
        TinyModel.WriteTokenizer(_folder.FullName);
        Config = TinyModel.WriteConfig(_folder.FullName);
        Folder = _folder.File("base");
        Text = _folder.Write("text.txt", string.Join('\n', Enumerable.Range(0, 20).Select(n => n % 5 == 4 ? "" : $"Line {n} tells a short story of a fox.")));
        Rows = _folder.Write("rows.tsv", Films(24));
        Model = _folder.File("films.mlnet");
        Must("train", "--task", "masked", "--base", $"new:{Config}", "--tokenizer", _folder.FullName, "--data", Text, "--out", Folder);
        Must([.. Train(), "--out", Model]);
    }

    /// <summary>config.json of the tiny model; its folder has the tokenizer too.</summary>
    public string Config { get; }

    public string TokenizerFolder => _folder.FullName;

    /// <summary>A checkpoint folder.</summary>
    public string Folder { get; }

    /// <summary>Five documents of plain text.</summary>
    public string Text { get; }

    /// <summary>24 rows, Label and Review, two classes.</summary>
    public string Rows { get; }

    /// <summary>A model that was trained on <see cref="Rows"/>.</summary>
    public string Model { get; }

    /// <summary>A table of reviews whose class is plain from the text.</summary>
    public static string Films(int count) =>
        "Label\tReview\n" + string.Concat(Enumerable.Range(0, count).Select(n => n % 2 == 0 ? $"good\ta fine film {n}\n" : $"bad\tdull, dull {n}\n"));

    /// <summary>Arguments of a training run, all settings at their defaults; more may follow.</summary>
    public string[] TrainAtDefaults(string? data = null) =>
        ["train", "--task", "classify", "--base", Folder, "--data", data ?? Rows, "--label", "Label", "--text", "Review"];

    /// <summary>Arguments of a training run of a second; more may follow.</summary>
    public string[] Train(string? data = null) => [.. TrainAtDefaults(data), "--epochs", "2", "--batch-size", "8", "--learning-rate", "0.003"];

    public void Dispose() => _folder.Dispose();

    private static void Must(params string[] arguments)
    {
        var run = Run.Of(arguments);
        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
    }
}
