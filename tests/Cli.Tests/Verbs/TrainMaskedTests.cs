using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class TrainMaskedTests(TinyBase tiny)
{
    private string[] Train(string? data = null) =>
        ["train", "--task", "masked", "--base", $"new:{tiny.Config}", "--tokenizer", tiny.TokenizerFolder, "--data", data ?? tiny.Text, "--max-tokens", "32"];

    [Fact]
    public void Train_WithValidationAndTest_WritesEveryFieldOfTheContract()
    {
        using var folder = new TemporaryFolder();

        var json = Run.Json(folder.File("run.json"), [.. Train(), "--validation", tiny.Text, "--test", tiny.Text, "--epochs", "2"]);

        Assert.Equal(
            "{method: string, device: string, rows: {train: integer, validation: integer, test: integer}, trainable_parameters: integer, "
            + "total_parameters: integer, epochs: [{epoch: integer, train_loss: number, validation_loss: number, validation_accuracy: null, seconds: number}], "
            + "test: {loss: number, tokens: integer}, training_seconds: number, training_examples_per_second: number, peak_rss_bytes: integer}",
            JsonShape.Of(json));
        Assert.Equal("full", json.GetProperty("method").GetString());
        Assert.Equal(16, json.GetProperty("rows").GetProperty("train").GetInt32());
        // The held-out masks are the same at every call, so the last epoch's validation is the test.
        Assert.Equal(json.GetProperty("epochs")[1].GetProperty("validation_loss").GetDouble(), json.GetProperty("test").GetProperty("loss").GetDouble(), 1e-6);
    }

    [Fact]
    public void Train_Out_WritesACheckpointToGoOnFrom()
    {
        using var folder = new TemporaryFolder();

        var run = Run.Of([.. Train(), "--out", folder.File("made/here"), "--dtype", "bfloat16"]);

        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
        var model = PretrainedModel.FromFolder(folder.File("made/here"));
        Assert.True(model.HasLanguageModelHead);
        using var checkpoint = Checkpoint.Open(folder.File("made/here"));
        Assert.All(checkpoint.Entries.Values, entry => Assert.Equal(ScalarType.BFloat16, entry.DataType));
    }

    [Fact]
    public void Train_SameSeed_RepeatsItsLoss()
    {
        using var folder = new TemporaryFolder();
        var first = Loss("1.json", "--seed", "3");

        Assert.Equal(first, Loss("2.json", "--seed", "3"));
        Assert.NotEqual(first, Loss("2.json", "--seed", "4"));
        Assert.NotEqual(first, Loss("2.json", "--seed", "3", "--masked-share", "0.5"));

        double Loss(string name, params string[] more) =>
            Run.Json(folder.File(name), [.. Train(), .. more]).GetProperty("epochs")[0].GetProperty("train_loss").GetDouble();
    }

    [Fact]
    public void Train_TextColumn_ReadsTheTable()
    {
        using var folder = new TemporaryFolder();

        var json = Run.Json(folder.File("run.json"), [.. Train(tiny.Rows), "--text", "Review", "--limit", "7"]);

        Assert.Equal(7, json.GetProperty("rows").GetProperty("train").GetInt32());
    }

    [Theory]
    [InlineData("--method lora", "--method lora does not go with --task masked")]
    [InlineData("--label Label --rank 4", "--label, --rank has no effect with --task masked")]
    [InlineData("--delimiter comma", "--delimiter has no effect on plain text")]
    [InlineData("--max-tokens 4", "--max-tokens is 4; new takes 8 to 62.")]
    [InlineData("--epochs 0", "--epochs is 0")]
    public void Train_BadOption_IsRefusedAndNothingWritten(string options, string expected)
    {
        using var folder = new TemporaryFolder();
        string[] start = options.StartsWith("--max-tokens", StringComparison.Ordinal) ? Train()[..^2] : Train();

        Run.Of([.. start, .. options.Split(' '), "--out", folder.File("made"), "--json", folder.File("run.json")]).AssertRefused(expected);

        Assert.Empty(folder.Names());
    }

    [Fact]
    public void Train_BlankText_IsRefused()
    {
        using var folder = new TemporaryFolder();

        Run.Of(Train(folder.Write("blank.txt", "\n  \n\n"))).AssertRefused("there is no text, only blank lines.");
        Run.Of([.. Train(), "--test", folder.Write("empty.txt", "")]).AssertRefused("empty.txt: there is no text");
    }

    [Fact]
    public void Train_OutIsAFile_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("file", "");

        Run.Of([.. Train(), "--out", Path.Combine(file, "made")]).AssertRefused("is a file; name a folder to write.");
    }
}
