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
            + "test: {loss: number, tokens: integer}, training_seconds: number, training_examples_per_second: number, peak_rss_bytes: integer, "
            + "evaluations: []}",
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

    [Fact]
    public void Train_EvaluateEvery_WritesTheLossesAndSaysThem()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = [.. Train(), "--validation", tiny.Text, "--batch-size", "4", "--max-steps", "6", "--evaluate-every", "2"];

        var run = Run.Of([.. arguments, "--json", folder.File("run.json")]);
        var json = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(folder.File("run.json"))).RootElement;

        Assert.Equal("[{step: integer, train_loss: number, validation_loss: number, seconds: number}]", JsonShape.Of(json.GetProperty("evaluations")));
        Assert.Equal([2, 4, 6], json.GetProperty("evaluations").EnumerateArray().Select(evaluation => evaluation.GetProperty("step").GetInt32()));
        Assert.Contains("\nStep 4 of 6: training loss ", run.Error);
    }

    [Theory]
    [InlineData("--schedule", "constant")]
    [InlineData("--warmup", "0.5")]
    [InlineData("--weight-decay", "0.5")]
    [InlineData("--gradient-accumulation", "2")]
    [InlineData("--causal-share", "0.5")]
    [InlineData("--whole-word", null)]
    [InlineData("--batch-size", "2")]
    [InlineData("--learning-rate", "0.1")]
    [InlineData("--max-steps", "3")]
    public void Train_EachOption_ChangesTheLoss(string option, string? value)
    {
        using var folder = new TemporaryFolder();
        string[] arguments = [.. Train(), "--batch-size", "4", "--epochs", "2", "--learning-rate", "0.01"];
        var changed = Array.IndexOf(arguments, option) is >= 0 and var place
            ? [.. arguments[..place], .. arguments[(place + 2)..], option, value!]
            : (string[])[.. arguments, option, .. value is null ? Array.Empty<string>() : [value]];

        Assert.NotEqual(Loss(folder.File("1.json"), arguments), Loss(folder.File("2.json"), changed));

        static double Loss(string path, string[] arguments) =>
            Run.Json(path, arguments).GetProperty("epochs").EnumerateArray().Last().GetProperty("train_loss").GetDouble();
    }

    [Fact]
    public void Train_Resume_GoesOnToTheSameModel()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = [.. Train(), "--batch-size", "4", "--epochs", "2"];
        Done([.. arguments, "--out", folder.File("whole")]);
        Done([.. arguments, "--out", folder.File("first"), "--checkpoint", folder.File("checkpoints"), "--checkpoint-every", "3"]);

        var resumed = Done([.. arguments, "--out", folder.File("second"), "--checkpoint", folder.File("checkpoints"), "--resume"]);

        Assert.Contains($"Going on from {folder.File("checkpoints")}", resumed.Error);
        var expected = File.ReadAllBytes(folder.File("whole/model.safetensors"));
        Assert.Equal(expected, File.ReadAllBytes(folder.File("first/model.safetensors")));
        Assert.Equal(expected, File.ReadAllBytes(folder.File("second/model.safetensors")));

        Run.Of([.. arguments, "--checkpoint", folder.File("checkpoints")]).AssertRefused("has checkpoints of an earlier run");
        Run.Of([.. arguments, "--checkpoint", folder.File("checkpoints")]).AssertRefused("Give --resume to go on from there, or choose another --checkpoint folder.");
        Run.Of([.. arguments, "--seed", "5", "--whole-word", "--checkpoint", folder.File("checkpoints"), "--resume"])
            .AssertRefused("this checkpoint is of another run: --whole-word was False and is True; --seed was 1 and is 5. Go on with what");
        Run.Of([.. Train(folder.Write("other.txt", "Another text.")), "--batch-size", "4", "--epochs", "2", "--checkpoint", folder.File("checkpoints"), "--resume"])
            .AssertRefused("the training text was ");

        static Run Done(string[] arguments)
        {
            var run = Run.Of(arguments);
            Assert.True(run.ExitCode == CommandLine.Done, run.Error);
            return run;
        }
    }

    [Theory]
    [InlineData("--method lora", "--method lora does not go with --task masked")]
    [InlineData("--label Label --rank 4", "--label, --rank has no effect with --task masked")]
    [InlineData("--delimiter comma", "--delimiter has no effect on plain text")]
    [InlineData("--max-tokens 4", "--max-tokens is 4; new takes 8 to 62.")]
    [InlineData("--epochs 0", "--epochs is 0")]
    [InlineData("--max-steps 0 --warmup 2", "--warmup is 2; use a share from 0 to 1. --max-steps is 0; use 1 or more")]
    [InlineData("--max-steps 1.5", "--max-steps is '1.5'; a whole number was wanted.")]
    [InlineData("--schedule steps", "--schedule is 'steps'; use linear, cosine or constant.")]
    [InlineData("--weight-decay -1 --gradient-accumulation 0", "--gradient-accumulation is 0; use 1 to 65536. --weight-decay is -1")]
    [InlineData("--causal-share 0.001", "--causal-share is 0.001, which of a batch of 32 is no window; choose another share or a larger --batch-size.")]
    [InlineData("--resume", "--resume has no effect without --checkpoint DIR")]
    [InlineData("--checkpoint-every 5", "--checkpoint-every has no effect without --checkpoint DIR")]
    [InlineData("--evaluate-every 5", "--evaluate-every has no effect without --validation F")]
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
    public void Train_NewModelWithAVocabularyThatLacksBytes_IsRefused()
    {
        using var folder = new TemporaryFolder();
        foreach (var path in Directory.GetFiles(tiny.TokenizerFolder, "*.*").Where(path => Path.GetExtension(path) is ".json" or ".txt"))
            File.Copy(path, folder.File(Path.GetFileName(path)));
        var vocabulary = System.Text.Json.JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllText(folder.File("vocab.json")))!;
        folder.Write("vocab.json", System.Text.Json.JsonSerializer.Serialize(vocabulary.Where(entry => entry.Value is < 200 or 260).ToDictionary()));

        Run.Of("train", "--task", "masked", "--base", $"new:{tiny.Config}", "--tokenizer", folder.FullName, "--data", tiny.Text)
            .AssertRefused("has 261 entries and cannot spell 60 of the 256 bytes; a model that begins from random weights needs them all");
    }

    [Fact]
    public void Train_TextNotUtf8_NamesLineAndOffset()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("latin.txt"), [.. "first\ncaf"u8, 0xE9]);

        Run.Of(Train(folder.File("latin.txt"))).AssertRefused("latin.txt: line 2 is not valid UTF-8: byte 0xE9 at offset 9 of the file");
    }

    [Fact]
    public void Train_OutIsAFile_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("file", "");
        Run.Of([.. Train(), "--checkpoint", Path.Combine(file, "made")]).AssertRefused("is a file; name a folder to write.");
        Run.Of([.. Train(), "--out", folder.File("same"), "--checkpoint", folder.File("same")]).AssertRefused("--out and --checkpoint name the same folder");

        Run.Of([.. Train(), "--out", Path.Combine(file, "made")]).AssertRefused("is a file; name a folder to write.");
    }
}
