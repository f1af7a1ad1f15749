using System.Globalization;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public sealed class ContinualVerbTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Continual_TwoTasks_WritesNumbersAndAPageWithPictures()
    {
        var page = _folder.File("report.html");

        var json = Run.Json(_folder.File("numbers.json"), [.. Arguments(), "--out", page]);

        Assert.Equal(
            "base method adapters lora repair epsilon top_k tasks base_accuracies accuracy_matrix stages average_accuracy average_forgetting backward_transfer forward_transfer seconds",
            string.Join(' ', json.EnumerateObject().Select(field => field.Name)));
        Assert.Equal("[{name: string, classes: integer, training_rows: integer, test_rows: integer}]", JsonShape.Of(json.GetProperty("tasks")));
        Assert.Equal(("lora", "merge", 2), (json.GetProperty("method").GetString(), json.GetProperty("adapters").GetString(), json.GetProperty("lora").GetProperty("rank").GetInt32()));
        var matrix = json.GetProperty("accuracy_matrix");
        Assert.Equal((2, 2), (matrix.GetArrayLength(), matrix[0].GetArrayLength()));
        double R(int stage, int task) => matrix[stage - 1][task - 1].GetDouble();
        Assert.Equal((R(2, 1) + R(2, 2)) / 2, json.GetProperty("average_accuracy").GetDouble(), 12);
        Assert.Equal(R(1, 1) - R(2, 1), json.GetProperty("average_forgetting").GetDouble(), 12);
        Assert.Equal(R(2, 1) - R(1, 1), json.GetProperty("backward_transfer").GetDouble(), 12);
        Assert.Equal(R(1, 2) - json.GetProperty("base_accuracies")[1].GetDouble(), json.GetProperty("forward_transfer").GetDouble(), 12);
        Assert.Equal(["films", "weather"], json.GetProperty("stages").EnumerateArray().Select(stage => stage.GetProperty("task").GetString()));
        Assert.Equal(12, json.GetProperty("stages")[0].GetProperty("matrices").GetArrayLength());
        var html = File.ReadAllText(page);
        Assert.Contains("films → weather", System.Net.WebUtility.HtmlDecode(html), StringComparison.Ordinal);
        Assert.Equal(4, html.Split("<svg").Length - 1);
    }

    [Fact]
    public void Continual_FullWithScale_RepairsBetweenTheTasksAndWritesMarkdown()
    {
        var page = _folder.File("report.md");

        var json = Run.Json(_folder.File("numbers.json"), [.. Arguments(["--method", "full"]), "--scale", "0.5", "--out", page]);

        Assert.Equal(("full", "IntruderRescalingEstimator"), (json.GetProperty("method").GetString(), json.GetProperty("repair").GetString()));
        Assert.Equal(System.Text.Json.JsonValueKind.Null, json.GetProperty("lora").ValueKind);
        Assert.Contains("](report-1.svg)", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("report-1.svg")));
    }

    [Fact]
    public void Continual_AdaptersApart_ForgetsNothing()
    {
        var json = Run.Json(_folder.File("numbers.json"), [.. Arguments(), "--adapters", "apart"]);

        Assert.Equal(("apart", 0.0), (json.GetProperty("adapters").GetString(), json.GetProperty("average_forgetting").GetDouble()));
    }

    [Fact]
    public void Continual_BadInput_IsOneLineAndNothingIsWritten()
    {
        var (films, weather) = (Task("films", Films(12), Films(8)), Task("weather", Weather(12), Weather(8)));
        var oneClass = Task("flat", "Label\tReview\nsame\ta\nsame\tb\n", Films(8));

        Refused("There is 1 task; give two or more", films);
        Refused("2 tasks are called 'films'", films, films);
        Refused("Task 'flat', training rows: all 2 are of class 'same'", films, oneClass);
        Refused("there are no rows after the header line", films, Task("empty", "Label\tReview\n", Films(8)));
        Refused("there is no column 'Review'", films, Task("other", "Label\tBody\na\tb\n", Films(8)));
        Refused("line 2 has no label", films, Task("bare", "Label\tReview\n\tb\n", Films(8)));
        Refused("a label that training does not know", films, Task("mixed", Films(12), Weather(8)));
        Refused("--tasks holds 'films'; NAME=TRAIN,TEST was wanted", "films", weather);
        Refused("--tasks holds 'x=a'; NAME=TRAIN,TEST was wanted", "x=a", weather);
        RefusedWith("--out is 'r.pdf'", "--out", "r.pdf");
        RefusedWith("--rank has no effect with --method full", "--method", "full", "--rank", "2");
        RefusedWith("--head-epochs is 0", "--head-epochs", "0");
        RefusedWith("--batch-size is 0", "--batch-size", "0");
        RefusedWith("'Review' is given twice", "--text-pair", "Review");

        void Refused(string expected, params string[] tasks) =>
            Run.Of(["continual", "--base", tiny.Folder, "--label", "Label", "--text", "Review", "--json", _folder.File("no.json"), "--tasks", .. tasks]).AssertRefused(expected);

        void RefusedWith(string expected, params string[] more)
        {
            Run.Of(["continual", "--base", tiny.Folder, "--label", "Label", "--text", "Review", "--json", _folder.File("no.json"), "--tasks", films, weather, .. more])
                .AssertRefused(expected);
            Assert.False(File.Exists(_folder.File("no.json")));
        }
    }

    private string[] Arguments(string[]? method = null) =>
    [
        "continual", "--base", tiny.Folder, "--tasks", Task("films", Films(24), Films(12)), Task("weather", Weather(24), Weather(12)),
        "--label", "Label", "--text", "Review", .. method ?? ["--rank", "2"], "--epochs", "2", "--batch-size", "8", "--learning-rate", "0.003",
        "--head-epochs", "5", "--device", "cpu",
    ];

    private string Task(string name, string training, string test) =>
        string.Create(CultureInfo.InvariantCulture, $"{name}={_folder.Write($"{name}-train.tsv", training)},{_folder.Write($"{name}-test.tsv", test)}");

    private static string Films(int count) => TinyBase.Films(count);

    private static string Weather(int count) =>
        "Label\tReview\n" + string.Concat(Enumerable.Range(0, count).Select(n => n % 2 == 0 ? $"sun\tbright sky {n}\n" : $"rain\twet and grey {n}\n"));
}
