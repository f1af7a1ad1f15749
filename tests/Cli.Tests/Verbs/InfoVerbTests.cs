using System.Diagnostics;
using System.Text.Json;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class InfoVerbTests
{
    [Fact]
    public void Info_SoundCheckpoint_WritesEveryFieldOfTheContract()
    {
        using var folder = new TemporaryFolder();
        var place = Directory.CreateDirectory(folder.File("tiny")).FullName;
        TinyCheckpoint.Write(place, dataType: TorchSharp.torch.ScalarType.BFloat16, labels: ["no", "yes"]);

        var json = Run.Json(folder.File("info.json"), "info", "--base", place);

        const string Token = "{text: string, id: integer}";
        Assert.Equal(
            "{base: string, usable: true, family: string, sizes: {layers: integer, hidden: integer, heads: integer, intermediate: integer, "
            + "embedding: integer, vocabulary: integer, positions: integer, max_tokens: integer, token_types: integer}, "
            + "weights: {files: [string], bytes: integer, types: [{name: string, tensor_count: integer, parameter_count: integer, byte_count: integer}]}, "
            + "parameters: {total: integer, embeddings: integer, encoder: integer, heads: integer}, "
            + "heads: {masked_lm: true, classification: {classes: integer, labels: [string]}}, "
            + $"tokenizer: {{kind: string, vocabulary: integer, special_tokens: {{pad: {Token}, unknown: {Token}, classify: {Token}, separator: {Token}, mask: {Token}}}}}, "
            + "lora_targets: [{target: string, inputs: integer, outputs: integer, max_rank: integer}], learning_rates: {full: number, lora: number, lora_alpha: integer}, "
            + "unused_tensors: [], notes: [], problems: []}",
            JsonShape.Of(json));
        Assert.Equal("roberta", json.GetProperty("family").GetString());
        Assert.Equal([2, 32, 2, 64, 32, 261, 64, 62, 1], json.GetProperty("sizes").EnumerateObject().Select(size => size.Value.GetInt32()));
        Assert.Equal("BF16", json.GetProperty("weights").GetProperty("types")[0].GetProperty("name").GetString());
        Assert.Equal(2 * json.GetProperty("parameters").GetProperty("total").GetInt64(), json.GetProperty("weights").GetProperty("bytes").GetInt64());
        var mask = json.GetProperty("tokenizer").GetProperty("special_tokens").GetProperty("mask");
        Assert.Equal(("<mask>", 260), (mask.GetProperty("text").GetString(), mask.GetProperty("id").GetInt32()));
        Assert.Equal(
            ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
            json.GetProperty("lora_targets").EnumerateArray().Select(target => target.GetProperty("target").GetString()));
        Assert.Equal([1e-5, 1.5e-4, 16], json.GetProperty("learning_rates").EnumerateObject().Select(rate => Math.Round(rate.Value.GetDouble(), 12)));
        Assert.Equal("""["no","yes"]""", JsonSerializer.Serialize(json.GetProperty("heads").GetProperty("classification").GetProperty("labels")));
    }

    [Fact]
    public void Info_Decoder_WritesItsOwnFields()
    {
        using var folder = new TemporaryFolder();

        var json = Run.Json(folder.File("info.json"), "info", "--base", SharedData.Path("stories260K"));

        Assert.Equal((true, "llama"), (json.GetProperty("usable").GetBoolean(), json.GetProperty("family").GetString()));
        Assert.Equal(
            """{"layers":5,"hidden":64,"heads":8,"key_value_heads":4,"head_size":8,"intermediate":172,"vocabulary":512,"max_tokens":512,"sliding_window":null,"tied_head":true}""",
            JsonSerializer.Serialize(json.GetProperty("sizes")));
        // Embedding 512 × 64; a layer has q and o 64 × 64, k and v 32 × 64, three maps 172 × 64, two norms; a norm at the end.
        const int Layer = 2 * 64 * 64 + 2 * 32 * 64 + 3 * 172 * 64 + 2 * 64;
        Assert.Equal([512 * 64 + 5 * Layer + 64, 512 * 64, 5 * Layer + 64, 0], json.GetProperty("parameters").EnumerateObject().Select(part => part.Value.GetInt32()));
        Assert.Equal("SentencePiece BPE", json.GetProperty("tokenizer").GetProperty("kind").GetString());
        Assert.Equal(
            ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            json.GetProperty("lora_targets").EnumerateArray().Select(target => target.GetProperty("target").GetString()));

        var broken = Run.Of("info", "--base", SharedData.Path("decoder-parity", "mistral"));
        Assert.Equal(CommandLine.BadInput, broken.ExitCode);
        Assert.Contains("no tokenizer here", broken.Error, StringComparison.Ordinal);
        Assert.Contains("window 7", broken.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_MiniEncoder_IsUsable()
    {
        var run = Run.Of("info", "--base", "mini-encoder");

        Assert.True(run.ExitCode == CommandLine.Done, run.Error);
        Assert.Equal("", run.Error);
        Assert.Contains("byte-level BPE", run.Output);
        Assert.Contains("masked-LM", run.Output);
    }

    [Fact]
    public void Info_FaultyFolder_ExitsWithTwoNamesEveryFaultAndWritesWhatItKnows()
    {
        using var folder = new TemporaryFolder();
        var place = Directory.CreateDirectory(folder.File("tiny")).FullName;
        TinyCheckpoint.Write(place);
        File.Move(Path.Combine(place, "model.safetensors"), Path.Combine(place, "pytorch_model.bin"));
        File.Delete(Path.Combine(place, "merges.txt"));

        var run = Run.Of("info", "--base", place, "--json", folder.File("info.json"));

        Assert.Equal(CommandLine.BadInput, run.ExitCode);
        var lines = run.Error.TrimEnd('\n').Split('\n');
        Assert.Collection(lines,
            line => Assert.Contains("byte-level BPE needs merges.txt beside it", line),
            line => Assert.Contains("a Python pickle. A pickle can run any program, so it is never opened here. Convert it once", line));
        Assert.All(lines, line => Assert.StartsWith("mlnet-lora: ", line));
        Assert.Contains("no: 2 problems", run.Output);
        using var json = JsonDocument.Parse(File.ReadAllBytes(folder.File("info.json")));
        Assert.False(json.RootElement.GetProperty("usable").GetBoolean());
        Assert.Equal(2, json.RootElement.GetProperty("problems").GetArrayLength());
        Assert.Equal("roberta", json.RootElement.GetProperty("family").GetString());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("tokenizer").ValueKind);
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("parameters").ValueKind);
    }

    [Fact]
    public void Info_AbsentFolder_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Run.Of("info", "--base", folder.File("absent")).AssertRefused("absent: no such folder. Give a checkpoint folder, or mini-encoder.");
        Run.Of("info", "--base", folder.Write("m.mlnet", "")).AssertRefused("m.mlnet: this is a file; info reads checkpoint folders.");
        Run.Of("info").AssertRefused("--base");
    }

    [Fact]
    public void Info_WhereTorchsNativeLibraryIsMissing_StillAnswers()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory).Where(IsManaged)) File.Copy(file, folder.File(Path.GetFileName(file)));
        // Without this list the runtime looks only beside the program, where no native library is.
        File.Delete(folder.File("MLNetLoRA.Cli.deps.json"));
        var place = Directory.CreateDirectory(folder.File("tiny")).FullName;
        TinyCheckpoint.Write(place);

        Assert.Equal((CommandLine.Done, ""), Start(folder, "info", "--base", place));
        Assert.Equal((CommandLine.Done, ""), Start(folder, "info", "--base", "mini-encoder"));
        // The same place, and a verb that needs the library: without it the two above prove nothing.
        var inputs = folder.Write("i.json", """{"input_ids": [[0, 5]], "attention_mask": [[1, 1]]}""");
        var (code, error) = Start(folder, "forward", "--base", place, "--inputs", inputs, "--out", folder.File("o.safetensors"), "--device", "cpu");
        Assert.Equal(CommandLine.Failed, code);
        Assert.Contains("torch", error);

        static bool IsManaged(string file) => Path.GetExtension(file) is ".dll" or ".json";
    }

    private static (int Code, string Error) Start(TemporaryFolder folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [folder.File("MLNetLoRA.Cli.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.NotNull(output.Result);
        return (process.ExitCode, error);
    }
}
