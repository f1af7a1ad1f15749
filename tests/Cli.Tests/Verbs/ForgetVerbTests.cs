using System.Text;
using System.Text.Json;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public sealed class ForgetVerbTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Json => _folder.File("run.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Forget_Model_WritesTheFieldsPromised()
    {
        var json = Run.Json(Json, Forget("--model", tiny.Model, "--texts", $"stories={tiny.Text}:0.75", $"{Numbers()}:0.25", "--positions", "60", "--max-tokens", "40", "--seed", "3"));

        const string Corpus = "{name: string, weight: number, tokens: integer, positions: integer, base_loss: number, tuned_loss: number, forgetting: number, "
            + "standard_error: number, interval: {lower: number, upper: number}, retied: null}";
        Assert.Equal(
            $"{{base: string, corpora: [{Corpus}], measure: string, positions: integer, max_tokens: integer, seed: integer, base_loss: number, tuned_loss: number, "
            + "forgetting: number, standard_error: number, interval: {lower: number, upper: number}, retied: null, test: null, scales: [], at_equal_task: [], "
            + "recommended: null, conclusion: null, device: string, seconds: number}",
            JsonShape.Of(json));
        Assert.Equal(["stories", "numbers"], json.GetProperty("corpora").EnumerateArray().Select(corpus => corpus.GetProperty("name").GetString()));
        Assert.Equal(("sampled", 60, 40, 3), (json.GetProperty("measure").GetString(), Integer("positions"), Integer("max_tokens"), Integer("seed")));

        int Integer(string name) => json.GetProperty(name).GetInt32();
    }

    [Fact]
    public void Forget_AnyForm_MeasuresTheSameBaseAndTheBaseItselfAsUnchanged()
    {
        string[] texts = ["--texts", tiny.Text, "--measure", "exact"];

        var model = Run.Json(Json, Forget(["--model", tiny.Model, .. texts]));
        var itself = Run.Json(Json, Forget(["--tuned", tiny.Folder, .. texts]));

        Assert.Equal(Number(model, "base_loss"), Number(itself, "base_loss"));
        Assert.NotEqual(0, Number(model, "forgetting"));
        Assert.Equal((0, 0), (Number(itself, "forgetting"), Number(itself, "standard_error")));
        Assert.Equal(Number(model, "tuned_loss") - Number(model, "base_loss"), Number(model, "forgetting"), 1e-9);
        Assert.Equal(itself.GetProperty("corpora")[0].GetProperty("tokens").GetInt32(), itself.GetProperty("positions").GetInt32());
    }

    [Fact]
    public void Forget_Scales_GoFromTheUntouchedModelToTheBase()
    {
        var other = _folder.Write("other.tsv", File.ReadAllText(tiny.Rows).Replace("Label\tReview", "Verdict\tFilm", StringComparison.Ordinal));
        string[] texts = ["--texts", tiny.Text, "--positions", "80"];

        var json = Run.Json(Json, Forget(["--model", tiny.Model, .. texts, "--test", other, "--label", "Verdict", "--text", "Film", "--scales", "0,0.5,1"]));

        var points = json.GetProperty("scales").EnumerateArray().ToList();
        Assert.Equal(
            "[{scale: number, which: string, forgetting: number, standard_error: number, relative_to_unscaled: number, accuracy: number, log_loss: number}]",
            JsonShape.Of(json.GetProperty("scales")).Replace("integer", "number", StringComparison.Ordinal).Split(" | ")[0].TrimEnd(']') + "]");
        Assert.Equal(
            ["top", "all", "neighbour", "uniform", "uniform-global"], points.Where(point => Number(point, "scale") == 1).Select(point => point.GetProperty("which").GetString()));
        Assert.All(points.Where(point => Number(point, "scale") == 1), point => Assert.Equal((Number(json, "forgetting"), 1), (Number(point, "forgetting"), Number(point, "relative_to_unscaled"))));
        var gone = points.Single(point => Number(point, "scale") == 0 && point.GetProperty("which").GetString() == "uniform-global");
        Assert.Equal(0, Number(gone, "forgetting"), 1e-5);
        Assert.Equal("{which: string, scale: number}", JsonShape.Of(json.GetProperty("recommended")).Replace("integer", "number", StringComparison.Ordinal));
        Assert.Equal(Number(json, "base_loss"), Number(Run.Json(Json, Forget(["--tuned", tiny.Folder, .. texts])), "base_loss"));
    }

    [Fact]
    public void Forget_TestAlone_MeasuresTheTaskOfTheModelAsItIs()
    {
        var json = Run.Json(Json, Forget("--model", tiny.Model, "--texts", tiny.Text, "--positions", "40", "--test", tiny.Rows, "--label", "Label"));

        Assert.Equal(1, json.GetProperty("scales").GetArrayLength());
        Assert.Equal(Number(json.GetProperty("test"), "accuracy"), Number(json.GetProperty("scales")[0], "accuracy"));
    }

    [Fact]
    public void Forget_Task_MeasuresBalanceBesideTheOtherMethods()
    {
        string[] rows = ["--task", tiny.Rows, "--test", _folder.Write("test.tsv", TinyBase.Films(10)), "--label", "Label"];

        var json = Run.Json(Json, Forget([
            "--model", tiny.Model, "--texts", tiny.Text, "--positions", "60", .. rows, "--scales", "0,1", "--which", "uniform-global,balance", "--strengths", "0,0.5,1e9"]));

        var balanced = json.GetProperty("scales").EnumerateArray().Where(point => point.GetProperty("which").GetString() == "balance").ToList();
        Assert.Equal([0, 0.5, 1e9], balanced.Select(point => Number(point, "scale")));
        Assert.Equal((Number(json, "forgetting"), Number(json.GetProperty("test"), "log_loss")), (Number(balanced[0], "forgetting"), Number(balanced[0], "log_loss")));
        Assert.Equal(0, Number(balanced[2], "forgetting"), 1e-4);
        Assert.NotEqual(Number(balanced[0], "log_loss"), Number(balanced[1], "log_loss"));
        Assert.Equal(["uniform-global", "balance"], json.GetProperty("at_equal_task").EnumerateArray().Select(equal => equal.GetProperty("which").GetString()));
        Assert.Contains("balancing leaves", json.GetProperty("conclusion").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Forget_TaskAlone_MeasuresBalanceAndTheModelAsItIs()
    {
        var json = Run.Json(Json, Forget("--model", tiny.Model, "--texts", tiny.Text, "--positions", "40", "--task", tiny.Rows));

        Assert.Equal(
            "uniform-global 1, balance 0, balance 0.1, balance 0.2, balance 0.5, balance 1, balance 2, balance 5, balance 10",
            string.Join(", ", json.GetProperty("scales").EnumerateArray().Select(point => $"{point.GetProperty("which").GetString()} {point.GetProperty("scale").GetRawText()}")));
        Assert.Equal(JsonValueKind.Null, json.GetProperty("test").ValueKind);
    }

    [Fact]
    public void Forget_Out_WritesAPageWithPicturesOfTheRepairsAndATableOfTheModelAsItIs()
    {
        string[] run = ["--model", tiny.Model, "--texts", tiny.Text, "--positions", "20"];
        var (page, text) = (_folder.File("report.html"), _folder.File("report.md"));

        var json = Run.Json(Json, Forget([.. run, "--scales", "0,1", "--which", "uniform-global", "--test", tiny.Rows, "--label", "Label", "--out", page]));
        Assert.Equal(CommandLine.Done, Run.Of(Forget([.. run, "--out", text])).ExitCode);

        var html = File.ReadAllText(page);
        Assert.Equal(2, html.Split("<svg").Length - 1);
        Assert.Contains(json.GetProperty("conclusion").GetString()!.Split('.')[0], html, StringComparison.Ordinal);
        Assert.Contains("| total | 1.000 |", File.ReadAllText(text), StringComparison.Ordinal);
        Run.Of(Forget([.. run, "--out", "r.pdf"])).AssertRefused("--out is 'r.pdf'");
        Run.Of(Forget([.. run, "--out", page, "--json", page])).AssertRefused("name the same file");
    }

    [Fact]
    public void Forget_BadRepairs_AreRefused()
    {
        string[] scales = ["--texts", tiny.Text, "--scales", "0,1"];

        Refused("--scales holds 0.5 2 times; name it once", "--texts", tiny.Text, "--scales", "0.5,1,0.5");
        Refused("--scales holds -1", "--texts", tiny.Text, "--scales", "-1");
        Refused("--which holds 'tops'; use top, all, neighbour, uniform, uniform-global, balance", [.. scales, "--which", "top,tops"]);
        Refused("--which has no effect without --scales", "--texts", tiny.Text, "--which", "top");
        Refused("--which balance needs --task F", [.. scales, "--which", "balance"]);
        Refused("--strengths has no effect without --task", [.. scales, "--strengths", "1"]);
        Refused("--strengths holds 1 2 times", [.. scales, "--task", tiny.Rows, "--strengths", "1,1"]);
        Refused("--task has no effect when --which does not name balance", [.. scales, "--task", tiny.Rows, "--which", "top"]);
        Refused("--task and --test name the same file", [.. scales, "--task", tiny.Rows, "--test", tiny.Rows, "--label", "Label"]);
        Refused("there is no column 'Film'", [.. scales, "--task", tiny.Rows, "--text", "Film"]);
        Run.Of(Forget(["--tuned", tiny.Folder, .. scales, "--task", tiny.Rows])).AssertRefused("--task needs --model M.mlnet");
        Refused("--label is missing", [.. scales, "--test", tiny.Rows]);
        Refused("--label has no effect without --test", [.. scales, "--label", "Label"]);
        Refused("there is no column 'Verdict'", [.. scales, "--test", tiny.Rows, "--label", "Verdict"]);
        Refused("rows have a label that training does not know", [.. scales, "--test", _folder.Write("t.tsv", "Label\tReview\nmixed\tso so\n"), "--label", "Label"]);
        Run.Of(Forget(["--tuned", tiny.Folder, .. scales, "--test", tiny.Rows, "--label", "Label"])).AssertRefused("--test needs --model M.mlnet");

        void Refused(string expected, params string[] arguments) => Run.Of(Forget(["--model", tiny.Model, .. arguments])).AssertRefused(expected);
    }

    [Fact]
    public void Forget_AtTheTerminal_ShowsCorporaAndTotal()
    {
        var run = Run.Of(Forget("--model", tiny.Model, "--texts", tiny.Text, "--texts", Numbers(), "--positions", "20"));

        Assert.Equal(CommandLine.Done, run.ExitCode);
        Assert.All(["text", "numbers", "Total", "Nats per token"], word => Assert.Contains(word, run.Output, StringComparison.Ordinal));
    }

    [Fact]
    public void Forget_BadTexts_AreRefused()
    {
        var latin = _folder.File("latin.txt");
        File.WriteAllBytes(latin, Encoding.Latin1.GetBytes("caf\u00E9 au lait\n"));
        var (blank, letter) = (_folder.Write("blank.txt", "\n \n"), _folder.Write("letter.txt", "a fine text\n\nx\n"));

        Refused("is not valid UTF-8", "--texts", latin);
        Refused("only blank lines", "--texts", blank);
        Refused("'letter' holds 1 texts (of 2; number 2) of fewer than 2 tokens", "--texts", letter);
        Refused("there is no such file", "--texts", _folder.File("none.txt"));
        Refused("The weights sum to 1.4", "--texts", $"{tiny.Text}:0.7", $"{Numbers()}:0.7");
        Refused("The weight of 'text' is -0.5", "--texts", $"{tiny.Text}:-0.5", $"{Numbers()}:1.5");
        Refused("1 of 2 corpora have a weight", "--texts", $"{tiny.Text}:0.5", Numbers());
        Refused("2 corpora are called 'text'", "--texts", tiny.Text, tiny.Text);
        Refused("the weight 'much' is no number", "--texts", $"{tiny.Text}:much");
        Refused("the name before '=' is empty", "--texts", $"={tiny.Text}");
        Refused("--positions is 3; use 2 or more for each corpus (here 2", "--texts", tiny.Text, Numbers(), "--positions", "3");
        Refused("--max-tokens is 500", "--texts", tiny.Text, "--max-tokens", "500");
        Refused("name the same file", "--texts", tiny.Text, "--json", tiny.Text);

        void Refused(string expected, params string[] arguments) => Run.Of(Forget(["--model", tiny.Model, .. arguments])).AssertRefused(expected);
    }

    [Fact]
    public void Forget_BadModels_AreRefused()
    {
        var other = _folder.File("other");
        Directory.CreateDirectory(other);
        TinyCheckpoint.Write(other, change: config => config with { IntermediateSize = 48 });
        string[] texts = ["--texts", tiny.Text];

        Run.Of(Forget(texts)).AssertRefused("The fine-tuned model is missing; give --model M.mlnet, --tuned Y or --adapter DIR");
        Run.Of(Forget(["--model", tiny.Model, "--tuned", tiny.Folder, .. texts])).AssertRefused("--model and --tuned are given; give one of them");
        Run.Of(Forget(["--tuned", other, .. texts])).AssertRefused("with another shape");
        Run.Of(["forget", "--base", other, "--model", tiny.Model, .. texts]).AssertRefused("The base given is 'other'");
        Run.Of(["forget", "--model", tiny.Model, .. texts]).AssertRefused("--base");
        Run.Of(["forget", "--base", tiny.Folder, "--model", tiny.Model]).AssertRefused("--texts");
    }

    private string[] Forget(params string[] more) => ["forget", "--base", tiny.Folder, "--device", "cpu", .. more];

    private string Numbers() => _folder.Write("numbers.txt", string.Join("\n\n", Enumerable.Range(0, 20).Select(n => $"{n}, {n + 1}, {n + 2}\nin a row")));

    private static double Number(JsonElement json, string name) => json.GetProperty(name).GetDouble();
}
