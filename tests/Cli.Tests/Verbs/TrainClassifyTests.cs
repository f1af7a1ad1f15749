using System.Text.Json;
using System.Text.RegularExpressions;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using TorchSharp;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class TrainClassifyTests(TinyBase tiny)
{
    [Fact]
    public void Train_WithValidationAndTest_WritesEveryFieldOfTheContract()
    {
        using var folder = new TemporaryFolder();
        var held = folder.Write("held.tsv", TinyBase.Films(10));

        var json = Run.Json(folder.File("run.json"), [.. tiny.Train(), "--validation", held, "--test", held]);

        Assert.Equal(
            "{method: string, device: string, rows: {train: integer, validation: integer, test: integer}, trainable_parameters: integer, "
            + "total_parameters: integer, epochs: [{epoch: integer, train_loss: number, validation_loss: number, validation_accuracy: N, seconds: number}], "
            + "test: {accuracy: N, macro_accuracy: N, log_loss: number}, training_seconds: number, training_examples_per_second: number, peak_rss_bytes: integer}",
            WithoutIntegers(JsonShape.Of(json)));
        Assert.Equal("lora", json.GetProperty("method").GetString());
        Assert.Equal([24, 10, 10], Counts(json));
        Assert.Equal(2, json.GetProperty("epochs").GetArrayLength());
        // Validation and test are the same rows, and the last epoch is kept unless an earlier one was better.
        Assert.Equal(
            json.GetProperty("epochs").EnumerateArray().Max(epoch => epoch.GetProperty("validation_accuracy").GetDouble()),
            json.GetProperty("test").GetProperty("accuracy").GetDouble(), 1e-12);
    }

    [Fact]
    public void Train_WithoutHeldOutRows_CountsNoneAndLeavesTheirNumbersNull()
    {
        using var folder = new TemporaryFolder();

        var json = Run.Json(folder.File("run.json"), tiny.Train());

        Assert.Equal([24, 0, 0], Counts(json));
        Assert.Equal(JsonValueKind.Null, json.GetProperty("test").ValueKind);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("epochs")[0].GetProperty("validation_loss").ValueKind);
    }

    [Fact]
    public void Train_SameSeed_RepeatsItsLossesAndAnotherDoesNot()
    {
        using var folder = new TemporaryFolder();

        var first = Losses(Run.Json(folder.File("1.json"), [.. tiny.Train(), "--seed", "7"]));
        var again = Losses(Run.Json(folder.File("2.json"), [.. tiny.Train(), "--seed", "7"]));
        var other = Losses(Run.Json(folder.File("3.json"), [.. tiny.Train(), "--seed", "8"]));

        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void Train_CsvOfTheSameRows_GivesTheSameLosses()
    {
        using var folder = new TemporaryFolder();
        var rows = File.ReadAllLines(tiny.Rows)[1..].Select(line => line.Split('\t'));
        var csv = folder.Write("rows.csv", "Id,Review,Label\n" + string.Concat(rows.Select(row => $"1,\"{row[1]}\",{row[0]}\n")));

        Assert.Equal(Losses(Run.Json(folder.File("1.json"), tiny.Train())), Losses(Run.Json(folder.File("2.json"), tiny.Train(csv))));
    }

    [Fact]
    public void Train_Limit_EqualsTheFirstRowsAlone()
    {
        using var folder = new TemporaryFolder();
        var first = folder.Write("first.tsv", TinyBase.Films(10));

        var limited = Run.Json(folder.File("1.json"), [.. tiny.Train(), "--limit", "10"]);
        var alone = Run.Json(folder.File("2.json"), tiny.Train(first));

        Assert.Equal(10, limited.GetProperty("rows").GetProperty("train").GetInt32());
        Assert.Equal(Losses(alone), Losses(limited));
    }

    [Fact]
    public void Train_Methods_TrainWhatTheySay()
    {
        using var folder = new TemporaryFolder();

        var full = Run.Json(folder.File("1.json"), [.. tiny.Train(), "--method", "full"]);
        var lora = Run.Json(folder.File("2.json"), [.. tiny.Train(), "--method", "lora", "--rank", "2", "--targets", "query,value"]);

        Assert.Equal(full.GetProperty("total_parameters").GetInt64(), full.GetProperty("trainable_parameters").GetInt64());
        // Two layers, two 32 by 32 targets each: A and B of rank 2; and the head, 32 by 32 and 2 by 32 with biases.
        Assert.Equal(2 * 2 * 2 * (32 + 32) + (32 * 32 + 32) + (2 * 32 + 2), lora.GetProperty("trainable_parameters").GetInt64());
    }

    [Theory]
    [InlineData("--schedule", "constant")]
    [InlineData("--warmup", "0.9")]
    [InlineData("--weight-decay", "0.5")]
    [InlineData("--gradient-accumulation", "2")]
    public void Train_OptimizerOption_ChangesTheLoss(string option, string value)
    {
        using var folder = new TemporaryFolder();

        Assert.NotEqual(Losses(Run.Json(folder.File("1.json"), tiny.Train())), Losses(Run.Json(folder.File("2.json"), [.. tiny.Train(), option, value])));
    }

    [Fact]
    public void Train_TextPair_ReadsBothTexts()
    {
        using var folder = new TemporaryFolder();
        var rows = Enumerable.Range(0, 12).Select(n => $"{(n % 2 == 0 ? "x" : "y")}\tsame\tword {n}\n");
        var one = folder.Write("one.tsv", "Label\tReview\tMore\n" + string.Concat(rows));

        var pair = Losses(Run.Json(folder.File("1.json"), [.. tiny.Train(one), "--text-pair", "More"]));
        var single = Losses(Run.Json(folder.File("2.json"), tiny.Train(one)));

        Assert.NotEqual(single, pair);
    }

    [Fact]
    public void Train_FromRandomWeights_NeedsOnlyConfigAndTokenizer()
    {
        var run = Run.Of(["train", "--task", "classify", "--base", $"new:{tiny.Config}", "--tokenizer", tiny.TokenizerFolder, .. tiny.Train()[5..]]);

        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
    }

    [Fact]
    public void Train_Redirected_SaysPlainLinesOnErrorAndATableOnOutput()
    {
        var run = Run.Of(tiny.Train());

        Assert.Contains("\nEpoch 2: training loss ", run.Error);
        Assert.DoesNotContain('\u001b', run.Error + run.Output);
        Assert.Contains("trainable of", run.Output);
    }

    [Fact]
    public void Train_Divergence_FailsWithOneAndWritesNothing()
    {
        using var folder = new TemporaryFolder();

        using var place = new TemporaryFolder();
        Amplify(TinyCheckpoint.Write(place.FullName), "roberta.embeddings.LayerNorm.weight");
        string[] atDefaults = [.. tiny.TrainAtDefaults().Select(argument => argument == tiny.Folder ? place.FullName : argument)];

        var run = Run.Of([.. atDefaults, "--out", folder.File("m.mlnet"), "--json", folder.File("run.json")]);

        Assert.Equal(CommandLine.Failed, run.ExitCode);
        Assert.EndsWith("nothing was written. Lower --learning-rate.\n", run.Error);
        Assert.Empty(folder.Names());
    }

    // Finite, so the checkpoint opens; a product of two such numbers is not.
    private static void Amplify(string folder, string key)
    {
        using var scope = torch.NewDisposeScope();
        var path = Path.Combine(folder, Checkpoint.FileName);
        Dictionary<string, torch.Tensor> weights;
        using (var checkpoint = Checkpoint.Open(folder)) weights = checkpoint.Entries.Keys.ToDictionary(name => name, name => checkpoint.Read(name));
        weights[key].fill_(1e38);
        SafetensorsWriter.Write(path, [.. weights]);
    }

    public static TheoryData<string, string> BadOptions => new()
    {
        { "--rank 0", "--rank is 0; use 1 or more" },
        { "--rank 33", "--rank is 33" },
        { "--alpha -1", "--alpha is -1" },
        { "--lora-dropout 1", "--lora-dropout is 1" },
        { "--targets query,qury", "--targets 'qury' matches no projection. This model has: query, key, value" },
        { "--batch-size 0 --max-tokens 63", "--batch-size is 0; use 1 to 65536. --max-tokens is 63; base takes 8 to 62." },
        { "--epochs 0", "--epochs is 0" },
        { "--learning-rate 0", "--learning-rate is 0" },
        { "--learning-rate nan", "--learning-rate is" },
        { "--method full --freeze-a --lora-init gaussian", "--lora-init, --freeze-a has no effect with --method full" },
        { "--method full --rank 4 --targets query", "--rank, --targets has no effect with --method full" },
        { "--dtype bfloat16", "--dtype has no effect with --task classify" },
        { "--masked-share 0.2", "--masked-share has no effect with --task classify" },
        { "--resume --max-steps 4", "--max-steps, --resume has no effect with --task classify" },
        { "--warmup 2", "--warmup is 2; use a share from 0 to 1." },
        { "--tokenizer .", "--tokenizer has no effect with --base" },
        { "--text-pair Label", "must be different columns; 'Label' is given twice" },
        { "--text-pair More", "there is no column 'More'; the header has 'Label', 'Review'." },
        { "--validation absent.tsv", "absent.tsv: there is no such file." },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Train_BadOption_IsRefusedAndNothingWritten(string options, string expected)
    {
        using var folder = new TemporaryFolder();

        Run.Of([.. tiny.TrainAtDefaults(), .. options.Split(' '), "--out", folder.File("m.mlnet"), "--json", folder.File("run.json")])
            .AssertRefused(expected);

        Assert.Empty(folder.Names());
    }

    [Theory]
    [InlineData("Label\tReview\na\tx\nb\n", "line 3 has 1 field")]
    [InlineData("Label\tReview\na\tx\n \ty\n", "line 3 has no label in column 'Label'")]
    [InlineData("Label\tReview\na\tx\na\ty\n", "all 2 rows have the label 'a'; classification needs two or more classes.")]
    [InlineData("Class\tReview\na\tx\n", "there is no column 'Label'; the header has 'Class', 'Review'.")]
    public void Train_BadData_IsRefused(string content, string expected)
    {
        using var folder = new TemporaryFolder();

        Run.Of(tiny.Train(folder.Write("rows.tsv", content))).AssertRefused(expected);
    }

    [Fact]
    public void Train_MissingColumnOptions_NameTheColumnsThereAre()
    {
        string[] start = ["train", "--task", "classify", "--base", tiny.Folder, "--data", tiny.Rows];

        Run.Of(start).AssertRefused("--label is missing");
        Run.Of([.. start, "--label", "Label"]).AssertRefused("--text is missing: the column with the text; the header of " + tiny.Rows + " has 'Label', 'Review'.");
    }

    [Theory]
    [InlineData("--test")]
    [InlineData("--validation")]
    public void Train_LabelUnseenInTraining_IsNamed(string option)
    {
        using var folder = new TemporaryFolder();
        var held = folder.Write("held.tsv", "Label\tReview\ngood\tx\nawful\ty\nodd\tz\n");

        Run.Of([.. tiny.Train(), option, held]).AssertRefused("labels are unseen in training: 'awful', 'odd'; ");
    }

    [Fact]
    public void Train_UnwritableOutput_IsFoundBeforeTraining()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("file", "");

        Run.Of([.. tiny.Train(), "--out", folder.File("absent/m.mlnet")]).AssertRefused("does not exist; create it first.");
        Run.Of([.. tiny.Train(), "--out", folder.FullName]).AssertRefused("this is a folder; name a file to write.");
        Run.Of([.. tiny.Train(), "--json", Path.Combine(file, "run.json")]).AssertRefused("does not exist; create it first.");
        Run.Of([.. tiny.Train(), "--out", file, "--json", file]).AssertRefused("--out and --json name the same file");
        Run.Of([.. tiny.Train(), "--out", tiny.Rows]).AssertRefused("--data and --out name the same file");
        Assert.Equal(["file"], folder.Names());
    }

    [Fact]
    public void Train_BadBase_IsRefused()
    {
        using var folder = new TemporaryFolder();
        string[] With(string model) => [.. tiny.Train()[..3], "--base", model, .. tiny.Train()[5..]];

        Run.Of(With(folder.File("absent"))).AssertRefused("no such folder. Give a checkpoint folder, mini-encoder, or new:CONFIG.json.");
        Run.Of(With($"new:{tiny.Config}")).AssertRefused("needs --tokenizer DIR");
        folder.Write("config.json", """{"model_type": "gpt2"}""");
        Run.Of(With(folder.FullName)).AssertRefused("model_type is 'gpt2'; supported are roberta, bert, xlm-roberta, distilbert, electra.");
    }

    [Fact]
    public void Train_WeightThatIsNotANumber_IsRefusedInOneLine()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(tiny.Folder)) File.Copy(file, folder.File(Path.GetFileName(file)));
        using (var scope = torch.NewDisposeScope())
        using (var checkpoint = Checkpoint.Open(tiny.Folder))
        {
            var weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
            weights["roberta.encoder.layer.0.output.dense.bias"][3] = float.NaN;
            SafetensorsWriter.Write(folder.File(Checkpoint.FileName), [.. weights]);
        }

        Run.Of([.. tiny.Train()[..3], "--base", folder.FullName, .. tiny.Train()[5..]])
            .AssertRefused("1 of the 32 values of tensor 'roberta.encoder.layer.0.output.dense.bias' are NaN");
    }

    private static double[] Losses(JsonElement json) =>
        [.. json.GetProperty("epochs").EnumerateArray().Select(epoch => epoch.GetProperty("train_loss").GetDouble())];

    private static int[] Counts(JsonElement json) => [.. json.GetProperty("rows").EnumerateObject().Select(file => file.Value.GetInt32())];

    // An accuracy of exactly 0 or 1 is written as an integer.
    private static string WithoutIntegers(string shape) =>
        Regex.Replace(shape, "(?<=accuracy: )(integer|number)( \\| number)?", "N");
}
