using System.Text.Json;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>train --initial: going on from a saved model.</summary>
public class TrainInitialTests(TinyBase tiny)
{
    private string[] Continue(string data, string initial) =>
        ["train", "--task", "classify", "--initial", initial, "--data", data, "--label", "Label", "--text", "Review"];

    [Fact]
    public void Train_Initial_StartsWhereTheModelStands()
    {
        using var folder = new TemporaryFolder();
        var trained = folder.File("trained.mlnet");
        var before = Run.Json(folder.File("0.json"), [.. tiny.Train(), "--test", tiny.Rows, "--rank", "2", "--out", trained]);

        var json = Run.Json(folder.File("1.json"), [.. Continue(tiny.Rows, trained), "--epochs", "1", "--learning-rate", "1e-12", "--test", tiny.Rows]);

        // One batch, its loss taken before the first step: the trained model's own log-loss. The adapter's rank is the model's.
        Assert.Equal(Test(before, "log_loss"), json.GetProperty("epochs")[0].GetProperty("train_loss").GetDouble(), 1e-5);
        Assert.Equal(Test(before, "log_loss"), Test(json, "log_loss"), 1e-5);
        Assert.Equal(before.GetProperty("trainable_parameters").GetInt64(), json.GetProperty("trainable_parameters").GetInt64());
    }

    [Fact]
    public void Train_InitialOfFullTuning_GoesOnInFull()
    {
        using var folder = new TemporaryFolder();
        var trained = folder.File("trained.mlnet");
        Run.Json(folder.File("0.json"), [.. tiny.Train(), "--method", "full", "--out", trained]);

        var json = Run.Json(folder.File("1.json"), [.. Continue(tiny.Rows, trained), "--epochs", "1"]);

        Assert.Equal("full", json.GetProperty("method").GetString());
    }

    [Fact]
    public void Train_InitialWithANewClass_IsTestedByNameAndPredictsAllThree()
    {
        using var folder = new TemporaryFolder();
        // The new class comes first, and one of the old ones is not there.
        var rows = string.Concat(Enumerable.Range(0, 24).Select(n => n % 2 == 0 ? $"odd\tqqqq zzzz {n}\n" : $"bad\tdull, dull {n}\n"));
        var data = folder.Write("new.tsv", "Label\tReview\n" + rows);
        var held = folder.Write("held.tsv", "Label\tReview\n" + rows + "good\ta fine film 2\n");
        var trained = folder.File("trained.mlnet");
        var continued = folder.File("continued.mlnet");
        string[] learning = ["--method", "full", "--epochs", "15", "--batch-size", "8", "--learning-rate", "0.003"];
        Run.Json(folder.File("0.json"), [.. tiny.TrainAtDefaults(), .. learning, "--out", trained]);

        var json = Run.Json(folder.File("1.json"), [.. Continue(data, trained), .. learning, "--test", held, "--out", continued]);
        var predictions = folder.File("predictions.tsv");
        Assert.Equal(CommandLine.Done, Run.Of("predict", "--model", continued, "--data", held, "--out", predictions).ExitCode);

        Assert.InRange(Test(json, "accuracy"), 0.9, 1);
        var named = File.ReadAllText(predictions);
        Assert.Contains("odd", named, StringComparison.Ordinal);
        Assert.Contains("bad", named, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_InitialAndItsBase_AreTheSame()
    {
        var json = Run.Of([.. Continue(tiny.Rows, tiny.Model), "--base", tiny.Folder, "--epochs", "1"]);
        Assert.True(json.ExitCode == CommandLine.Done, json.Error);

        Run.Of([.. Continue(tiny.Rows, tiny.Model), "--base", "mini-encoder"]).AssertRefused("--initial: the model given was fine-tuned from 'base' (content ");
    }

    [Fact]
    public void Train_InitialOfAnotherShape_IsRefusedInTheWordsTyped() =>
        Run.Of([.. Continue(tiny.Rows, tiny.Model), "--rank", "3"]).AssertRefused("rank 8, --rank is 3; alpha 16, --alpha is 6");

    [Fact]
    public void Train_NeitherBaseNorInitial_IsRefused() => Run.Of("train", "--task", "classify", "--data", tiny.Rows, "--label", "Label", "--text", "Review")
        .AssertRefused("--base is missing: a checkpoint folder, mini-encoder, or new:CONFIG.json; or go on from a trained model with --initial.");

    [Fact]
    public void Train_InitialMissingOrNoModel_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Run.Of(Continue(tiny.Rows, folder.File("no.mlnet"))).AssertRefused("there is no such file; --initial takes a model saved by train --out");
        Run.Of(Continue(tiny.Rows, folder.Write("x.mlnet", "no zip"))).AssertRefused("cannot be loaded as a model");
        Run.Of([.. Continue(tiny.Rows, tiny.Model), "--out", tiny.Model]).AssertRefused("--initial and --out name the same file");
        Run.Of([.. Continue(tiny.Rows, tiny.Model), "--tokenizer", tiny.TokenizerFolder]).AssertRefused("--tokenizer has no effect without --base");
        Run.Of("train", "--task", "masked", "--initial", tiny.Model, "--base", tiny.Folder, "--data", tiny.Text).AssertRefused("--initial has no effect with --task masked");
    }

    private static double Test(JsonElement json, string number) => json.GetProperty("test").GetProperty(number).GetDouble();
}
