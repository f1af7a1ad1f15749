using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>train --adapter-out: what was trained, as PEFT's files.</summary>
public sealed class TrainAdapterTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Json => _folder.File("run.json");

    private string Adapter => _folder.File("adapter");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_AdapterOut_GivesTheLogitsOfTheModelFile()
    {
        var model = _folder.File("m.mlnet");
        string[] learning = ["--epochs", "12", "--batch-size", "8", "--learning-rate", "0.01"];
        Run.Json(Json, [.. tiny.TrainAtDefaults(), .. learning, "--out", model, "--adapter-out", Adapter]);
        Run.Json(Json, "predict", "--model", model, "--data", tiny.Rows, "--out", _folder.File("p.tsv"), "--device", "cpu");

        var logits = _folder.File("logits.safetensors");
        Run.Json(Json, "forward", "--base", tiny.Folder, "--adapter", Adapter, "--inputs", Inputs(), "--out", logits, "--device", "cpu");

        using var scope = NewDisposeScope();
        using var written = Checkpoint.Open(logits);
        var expected = written.Read("logits", float64).softmax(1);
        var rows = File.ReadLines(_folder.File("p.tsv")).ToList();
        var columns = rows[0].Split('\t');
        // "good" stands in the first row, so it is class 0.
        int[] scores = [Array.IndexOf(columns, "Score.good"), Array.IndexOf(columns, "Score.bad")];
        for (var row = 0; row < 24; row++)
            for (var label = 0; label < 2; label++)
                Assert.Equal(
                    expected[row, label].item<double>(), double.Parse(rows[row + 1].Split('\t')[scores[label]], System.Globalization.CultureInfo.InvariantCulture), 1e-5);
        Assert.True(expected.select(1, 0).std().item<double>() > 1e-4, "the rows have to differ");
    }

    [Fact]
    public void Train_AdapterOutWithoutOut_WritesAnAdapterThatInspectReads()
    {
        Run.Json(Json, [.. tiny.Train(), "--rank", "3", "--targets", "query,value", "--adapter-out", Adapter]);

        var found = Run.Json(Json, "inspect", "--base", tiny.Folder, "--adapter", Adapter, "--no-cache", "--device", "cpu");

        Assert.Equal(4, found.GetProperty("matrices").GetArrayLength());
        Assert.All(found.GetProperty("matrices").EnumerateArray(), matrix => Assert.InRange(matrix.GetProperty("effective_rank").GetDouble(), 1, 3));
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.GetFiles(Adapter).Select(path => Path.GetFileName(path)).Order());
    }

    [Fact]
    public void Train_AdapterOutOfWhatHasNone_IsRefusedByName()
    {
        var full = _folder.File("full.mlnet");
        Run.Json(Json, [.. tiny.Train(), "--method", "full", "--out", full]);
        string[] initial = ["train", "--task", "classify", "--initial", full, "--data", tiny.Rows, "--label", "Label", "--text", "Review"];

        Run.Of([.. tiny.Train(), "--method", "full", "--adapter-out", Adapter]).AssertRefused("--adapter-out has no effect with --method full; leave it out.");
        Run.Of("train", "--task", "masked", "--base", tiny.Folder, "--data", tiny.Text, "--adapter-out", Adapter)
            .AssertRefused("--adapter-out has no effect with --task masked; leave it out.");
        Run.Of([.. initial, "--adapter-out", Adapter]).AssertRefused("--adapter-out has no effect here: the initial model was fine-tuned in full");
        Assert.False(Directory.Exists(Adapter));
    }

    [Fact]
    public void Train_AdapterOutThatCannotBeWritten_IsFoundBeforeTraining()
    {
        Run.Of([.. tiny.Train(), "--adapter-out", _folder.Write("file", "")]).AssertRefused("is a file; name a folder to write.");
        Run.Of([.. tiny.Train(), "--adapter-out", tiny.Folder]).AssertRefused("--base is read from this folder; choose another for --adapter-out.");
    }

    // The rows' texts as token ids, filled up to one length.
    private string Inputs()
    {
        var tokenizer = TextTokenizer.FromFolder(tiny.Folder);
        var rows = File.ReadLines(tiny.Rows).Skip(1).Select(line => tokenizer.Encode(line.Split('\t')[1], null, 128).Ids).ToList();
        var longest = rows.Max(ids => ids.Length);
        return _folder.Write("inputs.json", JsonSerializer.Serialize(new
        {
            input_ids = rows.Select(ids => ids.Concat(Enumerable.Repeat(tokenizer.PadId, longest - ids.Length))),
            attention_mask = rows.Select(ids => Enumerable.Range(0, longest).Select(i => i < ids.Length ? 1 : 0)),
        }));
    }
}
