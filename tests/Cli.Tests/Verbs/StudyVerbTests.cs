using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public sealed class StudyVerbTests : IDisposable
{
    private readonly TinyBase _tiny;
    private readonly TemporaryFolder _folder = new();

    public StudyVerbTests(TinyBase tiny)
    {
        _tiny = tiny;
        _folder.Write("train.tsv", TinyBase.Films(24));
        _folder.Write("test.tsv", TinyBase.Films(12));
        File.Copy(tiny.Text, _folder.File("fox.txt"));
        _folder.Write("hare.txt", "A hare sat in the rain.\n\nIt was wet and it was cold.\n");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Study_TwoWays_WritesNumbersAndAPageAndKeepsRuns()
    {
        var (page, runs) = (_folder.File("report.html"), _folder.File("runs"));

        var json = Run.Json(_folder.File("numbers.json"), [.. Arguments(Settings()), "--out", page, "--runs", runs]);

        Assert.Equal("setup claims points at_equal_accuracy correlations runs failures seconds", string.Join(' ', json.EnumerateObject().Select(field => field.Name)));
        Assert.Equal((24, 12, 2), (Setup("training_rows"), Setup("test_rows"), Setup("epochs")));
        Assert.Equal(["full", "LoRA r 2, α 3"], json.GetProperty("points").EnumerateArray().Select(point => point.GetProperty("tuning").GetProperty("name").GetString()));
        Assert.Equal([0.001, 0.003], json.GetProperty("points").EnumerateArray().Select(point => point.GetProperty("learning_rate").GetDouble()));
        Assert.Equal(2, json.GetProperty("runs").GetArrayLength());
        Assert.Equal([0.5, 1.0], json.GetProperty("runs")[1].GetProperty("repair").GetProperty("points").EnumerateArray().Select(point => point.GetProperty("scale").GetDouble()).Distinct());
        Assert.Equal(0.5, json.GetProperty("runs")[1].GetProperty("balance")[0].GetProperty("strength").GetDouble());
        Assert.Contains("<svg", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(runs).Length);

        // Again, with nothing to train: the same numbers.
        var again = Run.Json(_folder.File("again.json"), [.. Arguments(Settings()), "--out", _folder.File("report.md"), "--runs", runs]);
        Assert.Equal(json.GetProperty("runs").GetRawText(), again.GetProperty("runs").GetRawText());
        Assert.Contains("| finding | where |", File.ReadAllText(_folder.File("report.md")), StringComparison.Ordinal);

        int Setup(string field) => json.GetProperty("setup").GetProperty(field).GetInt32();
    }

    [Fact]
    public void Study_BadSettings_IsOneLineAndNothingIsWritten()
    {
        Refused("'rnak' is no setting; there are base, task, retention, variants", settings => settings["rnak"] = 1);
        Refused("'variants[1].rnak' is no setting; there are method, rank, alpha", settings => settings["variants"]![1]!["rnak"] = 1);
        Refused("'task.lable' is no setting", settings => settings["task"]!["lable"] = "x");
        Refused("'variants[0].method' is 'qlora'; use lora or full", settings => settings["variants"]![0]!["method"] = "qlora");
        Refused("'variants[0].rank', 'alpha' and 'only_b' have no effect with method full", settings => settings["variants"]![0]!["rank"] = 2);
        Refused("repair: scales holds 0.5 2 times", settings => settings["repair"]!["scales"] = new JsonArray(0.5, 0.5));
        Refused("learning_rates holds 0.001 2 times", settings => settings["variants"]![0]!["learning_rates"] = new JsonArray(0.001, 0.001));
        Refused("variants holds 'full' 2 times", settings => settings["variants"]![1] = settings["variants"]![0]!.DeepClone());
        Refused("training.epochs is 0", settings => settings["training"]!["epochs"] = 0);
        Refused("rank is 0", settings => settings["variants"]![1]!["rank"] = 0);
        Refused("missing required properties including: 'base'", settings => settings.AsObject().Remove("base"));
        Refused("at $.seeds[0]", settings => settings["seeds"] = new JsonArray("one"));
        Refused("'retention' is empty", settings => settings["retention"] = new JsonArray());
        Refused("nowhere.tsv", settings => settings["task"]!["test"] = "nowhere.tsv");
        Refused("none.txt", settings => settings["repair"]!["balance_texts"] = "none.txt");
        Refused("repair.balance_strengths holds -1", settings => settings["repair"]!["balance_strengths"] = new JsonArray(-1));
        Refused("nowhere.txt", settings => settings["retention"]![0]!["path"] = "nowhere.txt");
        Refused("no such folder", settings => settings["base"] = "nowhere");
        Refused("there is no column 'Body'", settings => settings["task"]!["text"] = "Body");
        _folder.Write("flat.tsv", "Label\tReview\nsame\ta\nsame\tb\n");
        Refused("all 2 are of class 'same'", settings => settings["task"]!["train"] = "flat.tsv");
    }

    [Fact]
    public void Study_BadArguments_AreRefused()
    {
        var settings = _folder.Write("settings.json", Settings().ToJsonString());

        Run.Of("study", settings).AssertRefused("--out");
        Run.Of("study", settings, "--out", _folder.File("report.pdf")).AssertRefused("report.pdf'; name a file that ends in .html");
        Run.Of("study", _folder.File("none.json"), "--out", _folder.File("r.html")).AssertRefused("there is no such file");
        Run.Of("study", settings, "--out", _folder.File("r.html"), "--json", settings).AssertRefused("name the same file");
        Run.Of("study", settings, "--out", _folder.File("r.html"), "--runs", settings).AssertRefused("is a file");
        Run.Of("study", _folder.Write("half.json", "{ \"base\": "), "--out", _folder.File("r.html")).AssertRefused("the settings cannot be read, line 1");
        Run.Of("study", _folder.Write("null.json", "null"), "--out", _folder.File("r.html")).AssertRefused("an object was wanted");
    }

    private JsonNode Settings() => JsonNode.Parse($$"""
        {
          "base": {{JsonSerializer.Serialize(_tiny.Folder)}},
          "task": { "train": "train.tsv", "test": "test.tsv", "label": "Label", "text": "Review" },
          "retention": [{ "path": "fox.txt" }],
          "variants": [
            { "method": "full", "learning_rates": [0.001] },
            { "method": "lora", "rank": 2, "alpha": 3, "learning_rates": [0.003], "repair": true }
          ],
          "seeds": [4],
          "training": { "epochs": 2, "batch_size": 8 },
          "forgetting": { "positions": 20, "max_tokens": 16 },
          "spectral": { "top_k": [4], "epsilon": [0.5, 0.8] },
          "repair": { "scales": [0.5, 1], "balance_texts": "hare.txt", "balance_strengths": [0.5] }
        }
        """)!;

    private string[] Arguments(JsonNode settings) => ["study", _folder.Write("settings.json", settings.ToJsonString()), "--device", "cpu"];

    private void Refused(string expected, Action<JsonNode> spoil)
    {
        var settings = Settings();
        spoil(settings);
        Run.Of([.. Arguments(settings), "--out", _folder.File("no.html"), "--json", _folder.File("no.json")]).AssertRefused(expected);
        Assert.False(File.Exists(_folder.File("no.html")) || File.Exists(_folder.File("no.json")));
    }
}
