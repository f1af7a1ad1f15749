using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests;

/// <summary>A user's own checkpoint of each family, from its folder to predictions.</summary>
public class FamilyJourneyTests(TinyBase tiny)
{
    public static TheoryData<ModelFamily, string> Journeys => new(
        from family in Enum.GetValues<ModelFamily>() from method in (string[])["lora", "full"] select (family, method));

    [Theory]
    [MemberData(nameof(Journeys))]
    public void OwnCheckpoint_InfoTrainPredict_Works(ModelFamily family, string method)
    {
        using var folder = new TemporaryFolder();
        var place = Checkpoint(folder, family);

        var info = Run.Json(folder.File("info.json"), "info", "--base", place);
        var train = Run.Json(folder.File("train.json"), [.. Train(place, method), "--test", tiny.Rows, "--out", folder.File("m.mlnet")]);
        var predict = Run.Of("predict", "--model", folder.File("m.mlnet"), "--data", tiny.Rows, "--out", folder.File("p.tsv"));

        Assert.True(info.GetProperty("usable").GetBoolean());
        Assert.True(predict.ExitCode == CommandLine.Done, predict.Error);
        // The classes are plain from the text: a network that learns tells them apart.
        Assert.InRange(train.GetProperty("test").GetProperty("accuracy").GetDouble(), 0.95, 1);
        var predicted = File.ReadAllLines(folder.File("p.tsv"))[1..].Select(line => line.Split('\t')[1]);
        var right = File.ReadAllLines(tiny.Rows)[1..].Select(line => line.Split('\t')[0]).Zip(predicted).Count(pair => pair.First == pair.Second);
        Assert.Equal(train.GetProperty("test").GetProperty("accuracy").GetDouble(), right / 24.0, 1e-9);
        // What info counts is what a fit has, but for the heads: the language model's is not there, the classifier's and the adapter are.
        var counted = info.GetProperty("parameters");
        if (method == "full")
            Assert.Equal(
                counted.GetProperty("embeddings").GetInt64() + counted.GetProperty("encoder").GetInt64() + (32 * 32 + 32) + (2 * 32 + 2),
                train.GetProperty("total_parameters").GetInt64());
        else
            Assert.Equal(
                info.GetProperty("lora_targets").EnumerateArray().Sum(slot => 8 * (slot.GetProperty("inputs").GetInt64() + slot.GetProperty("outputs").GetInt64())) * 2
                + (32 * 32 + 32) + (2 * 32 + 2),
                train.GetProperty("trainable_parameters").GetInt64());
    }

    [Fact]
    public void OwnCheckpoint_TargetNames_AreItsOwn()
    {
        using var folder = new TemporaryFolder();
        var place = Checkpoint(folder, ModelFamily.DistilBert);

        Run.Of([.. Train(place, "lora"), "--targets", "query"])
            .AssertRefused("--targets 'query' matches no projection. This model has: q_lin, k_lin, v_lin, out_lin, lin1, lin2.");
        var json = Run.Json(folder.File("run.json"), [.. Train(place, "lora", epochs: 1), "--targets", "q_lin,lin2", "--rank", "2"]);

        Assert.Equal(2 * 2 * ((32 + 32) + (64 + 32)) + (32 * 32 + 32) + (2 * 32 + 2), json.GetProperty("trainable_parameters").GetInt64());
    }

    [Theory]
    [InlineData(ModelFamily.XlmRoberta)]
    [InlineData(ModelFamily.DistilBert)]
    [InlineData(ModelFamily.Electra)]
    public void OwnCheckpoint_PretrainedOn_KeepsItsFamilyAndRuns(ModelFamily family)
    {
        using var folder = new TemporaryFolder();
        var inputs = folder.Write("i.json", """{"input_ids": [[0, 5, 9, 2]], "attention_mask": [[1, 1, 1, 1]]}""");

        var run = Run.Of("train", "--task", "masked", "--base", Checkpoint(folder, family, ["no", "yes"]), "--data", tiny.Text, "--out", folder.File("on"));
        Assert.True(run.ExitCode == CommandLine.Done, run.Error);

        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder.File("on"), "config.json")));
        Assert.EndsWith("ForMaskedLM", config.RootElement.GetProperty("architectures")[0].GetString());
        var heads = Run.Json(folder.File("info.json"), "info", "--base", folder.File("on")).GetProperty("heads");
        Assert.True(heads.GetProperty("masked_lm").GetBoolean());
        // A head that the training left alone is still there, with its names.
        Assert.Equal("""{"classes":2,"labels":["no","yes"]}""", JsonSerializer.Serialize(heads.GetProperty("classification")));
        var shapes = Run.Json(folder.File("f.json"), "forward", "--base", folder.File("on"), "--inputs", inputs, "--out", folder.File("o.safetensors"))
            .GetProperty("shapes");
        Assert.Equal("[1,4,261]", JsonSerializer.Serialize(shapes.GetProperty("logits")));
    }

    [Fact]
    public void OwnCheckpoint_WithAHeadOfOtherClasses_TrainsAndSaysSo()
    {
        using var folder = new TemporaryFolder();
        var three = TinyCheckpoint.Write(Directory.CreateDirectory(folder.File("three")).FullName, labels: ["a", "b", "c"]);
        var same = TinyCheckpoint.Write(Directory.CreateDirectory(folder.File("same")).FullName, labels: ["bad", "good"]);

        var other = Run.Of(Train(three, "lora", epochs: 1));
        var fitting = Run.Of(Train(same, "lora", epochs: 1));

        Assert.Equal((CommandLine.Done, CommandLine.Done), (other.ExitCode, fitting.ExitCode));
        Assert.Contains("The head of three tells apart 3 classes ('a', 'b', 'c'), the label column 2 ('good', 'bad'); training starts from a new head.", other.Error);
        Assert.Contains("The head of same knows the same 2 classes; training starts from it.", fitting.Error);
    }

    [Fact]
    public void OwnCheckpoint_ThatCannotBeUsed_IsRefusedByTrainToo()
    {
        using var folder = new TemporaryFolder();
        var place = Checkpoint(folder, ModelFamily.Roberta);
        var config = File.ReadAllText(Path.Combine(place, "config.json"));
        void Config(string from, string to) => File.WriteAllText(Path.Combine(place, "config.json"), config.Replace(from, to, StringComparison.Ordinal));

        Config("\"roberta\"", "\"mpnet\"");
        Run.Of(Train(place, "lora")).AssertRefused("model_type is 'mpnet'; supported are roberta, bert, xlm-roberta, distilbert, electra.");
        Config("\"hidden_act\"", "\"position_embedding_type\": \"relative_key\", \"hidden_act\"");
        Run.Of(Train(place, "lora")).AssertRefused("position_embedding_type is 'relative_key'; only absolute is supported.");
        Config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
        Run.Of(Train(place, "lora")).AssertRefused("16 keys that the layers of config.json have no place for");
        Config("x", "x");
        File.Move(Path.Combine(place, "model.safetensors"), Path.Combine(place, "pytorch_model.bin"));
        Run.Of(Train(place, "lora")).AssertRefused("a Python pickle. A pickle can run any program, so it is never opened here. Convert it once");
    }

    [Fact]
    public void Discriminator_AskedForAMaskedLanguageModel_SaysWhatToUse()
    {
        using var folder = new TemporaryFolder();
        var place = Checkpoint(folder, ModelFamily.Electra);
        using (var scope = TorchSharp.torch.NewDisposeScope())
        {
            Dictionary<string, TorchSharp.torch.Tensor> weights;
            using (var file = Modeling.Checkpoint.Open(place))
                weights = file.Entries.Keys.Where(key => !key.StartsWith("generator_", StringComparison.Ordinal)).ToDictionary(key => key, key => file.Read(key));
            weights.Add("discriminator_predictions.dense.bias", TorchSharp.torch.zeros(32, device: TorchSharp.torch.CPU));
            SafetensorsWriter.Write(Path.Combine(place, Modeling.Checkpoint.FileName), [.. weights]);
        }

        Run.Of("train", "--task", "masked", "--base", place, "--data", tiny.Text).AssertRefused("this is an ELECTRA discriminator");
        var classified = Run.Of(Train(place, "lora", epochs: 1));
        Assert.True(classified.ExitCode == CommandLine.Done, classified.Error);
    }

    private static string Checkpoint(TemporaryFolder folder, ModelFamily family, string[]? labels = null) => TinyCheckpoint.Write(
        Directory.CreateDirectory(folder.File(family.ToString())).FullName,
        change: family is ModelFamily.Roberta ? null : TinyCheckpoint.Family(family), labels: labels);

    private string[] Train(string place, string method, int epochs = 12) =>
    [
        "train", "--task", "classify", "--base", place, "--data", tiny.Rows, "--label", "Label", "--text", "Review", "--method", method,
        "--epochs", $"{epochs}", "--batch-size", "8", "--learning-rate", "0.005",
    ];
}
