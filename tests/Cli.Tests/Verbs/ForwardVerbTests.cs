using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class ForwardVerbTests(TinyBase tiny)
{
    [Theory]
    [InlineData("roberta-tiny-parity", "{logits: [4, 16, 300], last_hidden_state: [4, 16, 64]}")]
    [InlineData("bert-tiny-parity", "{logits: [4, 16, 300], last_hidden_state: [4, 16, 64]}")]
    [InlineData("bert-tiny-parity/classification", "{logits: [4, 3], last_hidden_state: [4, 16, 64]}")]
    public void Forward_ReferenceCheckpoint_GivesReferenceTensorsAndLoss(string fixture, string shapes)
    {
        var reference = SharedData.Path(fixture.Split('/'));
        using var folder = new TemporaryFolder();
        var output = folder.File("out.safetensors");

        var json = Run.Json(folder.File("run.json"), "forward", "--base", reference, "--inputs", Path.Combine(reference, "expected.json"), "--out", output);

        using var scope = NewDisposeScope();
        using var expected = Checkpoint.Open(Path.Combine(reference, "expected.safetensors"));
        using var actual = Checkpoint.Open(output);
        using var inputs = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(reference, "expected.json")));
        var mask = inputs.RootElement.GetProperty("attention_mask").EnumerateArray().SelectMany(row => row.EnumerateArray());
        var attended = tensor(mask.Select(one => one.GetInt32() == 1).ToArray(), [4L, 16L, 1L], dtype: @bool, device: CPU);
        foreach (var name in new[] { "logits", "last_hidden_state" })
        {
            var difference = (expected.Read(name) - actual.Read(name)).abs();
            if (difference.dim() == 3) difference = difference.masked_select(attended);
            Assert.InRange(difference.max().item<float>(), 0, 2e-5);
        }
        Assert.Equal(["last_hidden_state", "logits"], actual.Entries.Keys.Order());
        Assert.Equal(["shapes", "mean_loss"], json.EnumerateObject().Select(field => field.Name));
        Assert.Equal(shapes, JsonSerializer.Serialize(json.GetProperty("shapes")).Replace("\"", "").Replace(":", ": ").Replace(",", ", "));
        if (inputs.RootElement.TryGetProperty("mlm_loss", out var loss))
            Assert.Equal(loss.GetDouble(), json.GetProperty("mean_loss").GetDouble(), 1e-5);
        else
            Assert.Equal(JsonValueKind.Null, json.GetProperty("mean_loss").ValueKind);
    }

    [Theory]
    [InlineData("llama3", 64L)]
    [InlineData("mistral", 40L)]
    [InlineData("qwen2", 31L)]
    public void Forward_ReferenceDecoder_GivesReferenceTensorsAndLoss(string family, long tokens)
    {
        var reference = SharedData.Path("decoder-parity", family);
        using var folder = new TemporaryFolder();
        var output = folder.File("out.safetensors");

        var json = Run.Json(folder.File("run.json"), "forward", "--base", reference, "--inputs", Path.Combine(reference, "expected.json"), "--out", output);

        using var scope = NewDisposeScope();
        using var expected = Checkpoint.Open(Path.Combine(reference, "expected.safetensors"));
        using var actual = Checkpoint.Open(output);
        using var inputs = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(reference, "expected.json")));
        var mask = inputs.RootElement.GetProperty("attention_mask").EnumerateArray().SelectMany(row => row.EnumerateArray());
        var attended = tensor(mask.Select(one => one.GetInt32() == 1).ToArray(), [3L, tokens, 1L], dtype: @bool, device: CPU);
        foreach (var name in new[] { "logits", "last_hidden_state" })
            Assert.InRange((expected.Read(name) - actual.Read(name)).abs().masked_select(attended).max().item<float>(), 0, 2e-5);
        Assert.Equal(inputs.RootElement.GetProperty("mean_loss").GetDouble(), json.GetProperty("mean_loss").GetDouble(), 1e-5);
    }

    [Theory]
    [InlineData("[[1]]", "[[1]]", "[[5]]")]
    [InlineData("[[1, 2, 3], [4, 5, 6]]", "[[1, 1, 1], [1, 1, 1]]", "[[5, -100, -100], [6, -100, -100]]")]
    public void Forward_DecoderWithLabelsOfFirstTokensOnly_IsRefused(string ids, string mask, string labels)
    {
        using var folder = new TemporaryFolder();
        var inputs = folder.Write("in.json", $$"""{"input_ids": {{ids}}, "attention_mask": {{mask}}, "labels": {{labels}} }""");

        Run.Of("forward", "--base", SharedData.Path("decoder-parity", "mistral"), "--inputs", inputs, "--out", folder.File("out.safetensors"))
            .AssertRefused("no label counts: a row's first token has nothing before it to be guessed from");

        Assert.False(File.Exists(folder.File("out.safetensors")));
    }

    [Fact]
    public void Forward_ReferenceAdapter_GivesReferenceLogits()
    {
        var reference = SharedData.Path("roberta-tiny-parity");
        var adapter = Path.Combine(reference, "adapter");
        using var folder = new TemporaryFolder();
        var output = folder.File("out.safetensors");

        Run.Json(folder.File("run.json"), "forward", "--base", reference, "--adapter", adapter,
            "--inputs", Path.Combine(reference, "expected.json"), "--out", output);

        using var scope = NewDisposeScope();
        using var expected = Checkpoint.Open(Path.Combine(adapter, "expected.safetensors"));
        using var actual = Checkpoint.Open(output);
        using var inputs = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(reference, "expected.json")));
        var mask = inputs.RootElement.GetProperty("attention_mask").EnumerateArray().SelectMany(row => row.EnumerateArray());
        var attended = tensor(mask.Select(one => one.GetInt32() == 1).ToArray(), [4L, 16L, 1L], dtype: @bool, device: CPU);
        var difference = (expected.Read("logits") - actual.Read("logits")).abs().masked_select(attended);
        Assert.InRange(difference.max().item<float>(), 0, 2e-5);
    }

    [Fact]
    public void Forward_AdapterThatIsNotThere_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var inputs = folder.Write("i.json", """{"input_ids": [[0, 5, 2]], "attention_mask": [[1, 1, 1]]}""");

        var run = Run.Of("forward", "--base", tiny.Folder, "--adapter", folder.File("none"), "--inputs", inputs, "--out", folder.File("o.safetensors"));

        Assert.Equal(CommandLine.BadInput, run.ExitCode);
        Assert.Contains("none: no such folder. Give a folder with adapter_config.json and adapter_model.safetensors", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("o.safetensors")));
    }

    [Fact]
    public void Forward_ClassLabels_GiveTheirMeanCrossEntropy()
    {
        var reference = SharedData.Path("bert-tiny-parity", "classification");
        using var folder = new TemporaryFolder();
        var text = File.ReadAllText(Path.Combine(reference, "expected.json"));
        var inputs = folder.Write("i.json", text.Insert(text.IndexOf('{') + 1, "\"labels\": [2, 0, -100, 1], "));

        var json = Run.Json(folder.File("run.json"), "forward", "--base", reference, "--inputs", inputs, "--out", folder.File("o.safetensors"));

        using var file = Checkpoint.Open(Path.Combine(reference, "expected.safetensors"));
        using var logits = file.Read("logits");
        var rows = logits.data<float>().ToArray().Chunk(3).ToArray();
        var loss = new (int Row, int Class)[] { (0, 2), (1, 0), (3, 1) }.Average(pair =>
            Math.Log(rows[pair.Row].Sum(logit => Math.Exp(logit))) - rows[pair.Row][pair.Class]);
        Assert.Equal(loss, json.GetProperty("mean_loss").GetDouble(), 2e-5);
    }

    [Theory]
    [InlineData("[1]", "the JSON is no object")]
    [InlineData("{", "not valid JSON")]
    [InlineData("""{"attention_mask": [[1]]}""", "there are no input_ids")]
    [InlineData("""{"input_ids": [[0, 5, 2]]}""", "there is no attention_mask")]
    [InlineData("""{"input_ids": [0, 5, 2], "attention_mask": [[1, 1, 1]]}""", "input_ids row 0 is no array")]
    [InlineData("""{"input_ids": [], "attention_mask": []}""", "input_ids is empty")]
    [InlineData("""{"input_ids": [[0, 5], [0]], "attention_mask": [[1, 1], [1, 1]]}""", "input_ids row 1 has 1 values, row 0 has 2; pad rows to one length")]
    [InlineData("""{"input_ids": [[0, 261]], "attention_mask": [[1, 1]]}""", "input_ids holds 261; the model takes 0 to 260")]
    [InlineData("""{"input_ids": [[0, -1]], "attention_mask": [[1, 1]]}""", "input_ids holds -1")]
    [InlineData("""{"input_ids": [[0, 1.5]], "attention_mask": [[1, 1]]}""", "input_ids holds 1.5; whole numbers were wanted")]
    [InlineData("""{"input_ids": [[0, "a"]], "attention_mask": [[1, 1]]}""", "input_ids holds a String")]
    [InlineData("""{"input_ids": [[0, 5]], "attention_mask": [[1]]}""", "attention_mask is (1, 1), input_ids (1, 2)")]
    [InlineData("""{"input_ids": [[0, 5]], "attention_mask": [[1, 2]]}""", "attention_mask holds 2; the model takes 0 to 1")]
    [InlineData("""{"input_ids": [[0, 5], [0, 5]], "attention_mask": [[1, 1], [0, 0]]}""", "attention_mask row 1 has no 1")]
    [InlineData("""{"input_ids": [[0, 5]], "attention_mask": [[1, 1]], "token_type_ids": [[0, 1]]}""", "token_type_ids holds 1; the model takes 0 to 0")]
    [InlineData("""{"input_ids": [[0, 5]], "attention_mask": [[1, 1]], "labels": [[-100, 261]]}""", "labels holds 261; the model takes 0 to 260, or -100")]
    [InlineData("""{"input_ids": [[0, 5]], "attention_mask": [[1, 1]], "labels": [[-100, -100]]}""", "labels are all -100")]
    public void Forward_BadInputs_AreRefusedAndNothingWritten(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        var inputs = folder.Write("i.json", content);

        Run.Of("forward", "--base", tiny.Folder, "--inputs", inputs, "--out", folder.File("o.safetensors"), "--json", folder.File("run.json"))
            .AssertRefused(expected);

        Assert.Equal(["i.json"], folder.Names());
    }

    [Fact]
    public void Forward_RowsLongerThanTheModel_AreRefused()
    {
        using var folder = new TemporaryFolder();
        string Row(int count) => string.Join(", ", Enumerable.Repeat(1, count));
        var inputs = folder.Write("i.json", $$"""{"input_ids": [[{{Row(63)}}]], "attention_mask": [[{{Row(63)}}]]}""");

        Run.Of("forward", "--base", tiny.Folder, "--inputs", inputs, "--out", folder.File("o.safetensors"))
            .AssertRefused("rows of 63 tokens; the model takes up to 62");
    }

    [Fact]
    public void Forward_BadBase_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var inputs = folder.Write("i.json", """{"input_ids": [[0, 5]], "attention_mask": [[1, 1]]}""");
        string[] With(string model) => ["forward", "--base", model, "--inputs", inputs, "--out", folder.File("o.safetensors")];

        Run.Of(With(folder.File("absent"))).AssertRefused("absent: no such folder.");
        Run.Of(With(folder.FullName)).AssertRefused("config.json: there is no such file");
        folder.Write("config.json", """{"model_type": "llama", "hidden_size": 0}""");
        Run.Of(With(folder.FullName)).AssertRefused("vocab_size is missing. num_hidden_layers is missing.");
        folder.Write("config.json", """{"model_type": "gemma"}""");
        Run.Of(With(folder.FullName)).AssertRefused("model_type is 'gemma'; supported are roberta, bert, xlm-roberta, distilbert, electra.");
        File.Copy(tiny.Config, folder.File("config.json"), overwrite: true);
        Run.Of(With(folder.FullName)).AssertRefused("there is no model.safetensors");
        folder.Write("pytorch_model.bin", "");
        Run.Of(With(folder.FullName)).AssertRefused("import torch; from safetensors.torch import save_file");
    }
}
