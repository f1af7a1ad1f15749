using System.Globalization;
using Microsoft.ML;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class PredictVerbTests(TinyBase tiny)
{
    [Fact]
    public void Predict_Tsv_WritesLabelAndScoresInTheRowsOrder()
    {
        using var folder = new TemporaryFolder();

        var json = Run.Json(folder.File("run.json"), "predict", "--model", tiny.Model, "--data", tiny.Rows, "--out", folder.File("p.tsv"));

        Assert.Equal("{rows: integer, seconds: number, examples_per_second: number}", JsonShape.Of(json));
        Assert.Equal(24, json.GetProperty("rows").GetInt32());
        var lines = File.ReadAllLines(folder.File("p.tsv")).Select(line => line.Split('\t')).ToArray();
        Assert.Equal(["Row", "PredictedLabel", "Score", "Score.good", "Score.bad"], lines[0]);
        Assert.Equal(Enumerable.Range(1, 24), lines[1..].Select(line => int.Parse(line[0], CultureInfo.InvariantCulture)));
        Assert.All(lines[1..], line =>
        {
            var scores = line[3..].Select(score => float.Parse(score, CultureInfo.InvariantCulture)).ToArray();
            Assert.Equal(1, scores.Sum(), 1e-6f);
            Assert.Equal(line[2], line[3 + Array.IndexOf(scores, scores.Max())]);
            Assert.Equal(line[1], scores[0] >= scores[1] ? "good" : "bad");
        });
    }

    [Fact]
    public void Predict_RowsWithoutLabelInOtherOrder_ScoreTheSame()
    {
        using var folder = new TemporaryFolder();
        var reviews = File.ReadAllLines(tiny.Rows)[1..].Select(line => line.Split('\t')[1]).Reverse();
        var csv = folder.Write("rows.csv", "Number,Review\n" + string.Concat(reviews.Select(review => $"5,\"{review}\"\n")));

        var forward = Predict(folder, tiny.Rows, "1.tsv").Skip(1).Select(line => line.Split('\t')[1..]).ToArray();
        var backward = Predict(folder, csv, "2.csv").Skip(1).Select(line => line.Split(',')[1..]).Reverse().ToArray();

        // Other neighbours in the batch, other padding: the same numbers but for rounding.
        Assert.Equal(forward.Length, backward.Length);
        foreach (var (one, other) in forward.Zip(backward))
        {
            Assert.Equal(one[0], other[0]);
            Assert.All(one.Zip(other).Skip(1), pair => Assert.Equal(Number(pair.First), Number(pair.Second), 1e-6));
        }

        static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Predict_ModelSavedByTheApi_MapsKeysAndSpellsNumbers()
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var rows = Enumerable.Range(0, 8).Select(n => new Ticket { Weight = n, Stars = 1 + n % 2, Body = n % 2 == 0 ? "bad" : "good" });
        var data = ml.Data.LoadFromEnumerable(rows);
        var options = new TextClassificationOptions { LabelColumnName = "Stars", Sentence1ColumnName = "Body", MaxEpochs = 1, Device = "cpu" };
        using var model = ml.Transforms.Conversion.MapValueToKey("Stars")
            .Append(ml.MulticlassClassification.Trainers.LoraTextClassification(PretrainedModel.FromFolder(tiny.Folder), options)).Fit(data);
        ml.Model.Save(model, data.Schema, folder.File("api.mlnet"));

        var run = Run.Of("predict", "--model", folder.File("api.mlnet"), "--data", folder.Write("d.tsv", "Body\ngood\nbad\n"), "--out", folder.File("p.tsv"));

        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
        var lines = File.ReadAllLines(folder.File("p.tsv"));
        Assert.Equal("Row\tPredictedLabel\tScore\tScore.1\tScore.2", lines[0]);
        Assert.All(lines[1..], line => Assert.Contains(line.Split('\t')[1], new[] { "1", "2" }));
    }

    [Fact]
    public void Predict_MissingColumn_NamesItAndWhatThereIs()
    {
        using var folder = new TemporaryFolder();
        var data = folder.Write("d.tsv", "Label\tBody\na\tx\n");

        Run.Of("predict", "--model", tiny.Model, "--data", data, "--out", folder.File("p.tsv"))
            .AssertRefused("reads: 'Review'; its header has 'Label', 'Body'.");

        Assert.Equal(["d.tsv"], folder.Names());
    }

    [Fact]
    public void Predict_DamagedModel_IsRefusedWhereverTheDamageIs()
    {
        using var folder = new TemporaryFolder();
        var bytes = File.ReadAllBytes(tiny.Model);
        for (var part = 0; part < 8; part++)
        {
            var damaged = (byte[])bytes.Clone();
            var at = bytes.Length * part / 8;
            for (var b = at; b < at + 400 && b < bytes.Length; b++) damaged[b] ^= 0x5A;
            File.WriteAllBytes(folder.File("m.mlnet"), damaged);

            Run.Of("predict", "--model", folder.File("m.mlnet"), "--data", tiny.Rows, "--out", folder.File("p.tsv"))
                .AssertRefused("m.mlnet: cannot be loaded as a model: ");
        }
        File.WriteAllBytes(folder.File("m.mlnet"), bytes[..(bytes.Length / 2)]);
        Run.Of("predict", "--model", folder.File("m.mlnet"), "--data", tiny.Rows, "--out", folder.File("p.tsv"))
            .AssertRefused("m.mlnet: cannot be loaded as a model: ");
        Assert.Equal(["m.mlnet"], folder.Names());
    }

    [Fact]
    public void Predict_ModelThatNamesNoClass_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(1);
        var data = ml.Data.LoadFromEnumerable(new[] { new Ticket { Body = "x" } });
        ml.Model.Save(ml.Transforms.CopyColumns("Copy", "Body").Fit(data), data.Schema, folder.File("copy.mlnet"));

        Run.Of("predict", "--model", folder.File("copy.mlnet"), "--data", tiny.Rows, "--out", folder.File("p.tsv"))
            .AssertRefused("the model has no columns 'PredictedLabel' and 'Score'");
    }

    [Fact]
    public void Predict_MissingOrSameFiles_AreRefused()
    {
        using var folder = new TemporaryFolder();

        Run.Of("predict", "--model", folder.File("absent.mlnet"), "--data", tiny.Rows, "--out", folder.File("p.tsv"))
            .AssertRefused("absent.mlnet: there is no such file");
        Run.Of("predict", "--model", tiny.Model, "--data", folder.File("absent.tsv"), "--out", folder.File("p.tsv"))
            .AssertRefused("absent.tsv: there is no such file");
        Run.Of("predict", "--model", tiny.Model, "--data", tiny.Rows, "--out", tiny.Rows).AssertRefused("--data and --out name the same file");
        Assert.Empty(folder.Names());
    }

    private string[] Predict(TemporaryFolder folder, string data, string name)
    {
        var run = Run.Of("predict", "--model", tiny.Model, "--data", data, "--out", folder.File(name));
        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
        return File.ReadAllLines(folder.File(name));
    }

    private sealed class Ticket
    {
        public float Weight { get; set; }

        public int Stars { get; set; }

        public string Body { get; set; } = "";
    }
}
