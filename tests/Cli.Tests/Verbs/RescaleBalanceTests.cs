using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

/// <summary>rescale --which balance, of an adapter and of two checkpoints.</summary>
public sealed class RescaleBalanceTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly IDisposable _scope = NewDisposeScope();

    private string Out => _folder.File("out");

    private string Json => _folder.File("run.json");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("0.5")]
    [InlineData("4")]
    public void Balance_Adapter_IsTheFormulaAtTheSameRankWithTheSameB(string strength)
    {
        var adapter = Adapter();

        var written = Run.Json(Json, [.. Balance("--adapter", adapter), "--strength", strength]);

        using var before = AdapterChanges.Open(tiny.Folder, adapter);
        using var after = AdapterChanges.Open(tiny.Folder, Out);
        Assert.Equal(12, written.GetProperty("matrices").GetArrayLength());
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            var name = matrix.GetProperty("name").GetString()!;
            using var old = before.Open(name, CPU);
            using var made = after.Open(name, CPU);
            Assert.Equal(old.Change.B!.data<float>().ToArray(), made.Change.B!.data<float>().ToArray());
            Assert.Equal((8, old.Change.A!.shape[0]), (matrix.GetProperty("rank").GetInt32(), made.Change.A!.shape[0]));
            var expected = Expected(name, Delta(old), double.Parse(strength, System.Globalization.CultureInfo.InvariantCulture));
            Assert.InRange((expected - Delta(made)).norm().item<double>() / expected.norm().item<double>(), 0, 1e-5);
            SpectralParity.AssertClose(expected.norm().item<double>(), matrix.GetProperty("delta_frobenius").GetDouble(), 1e-5);
            SpectralParity.AssertClose((expected - Delta(old)).norm().item<double>(), matrix.GetProperty("distance").GetDouble(), 1e-5);
            SpectralParity.AssertClose((old.Change.Base.to(float64) + expected).norm().item<double>(), matrix.GetProperty("frobenius").GetDouble(), 1e-6);
        }
    }

    [Fact]
    public void Balance_Checkpoint_IsTheFormulaInEachMatrixOfTheLayersAndLeavesTheRest()
    {
        var tuned = Tuned();

        var written = Run.Json(Json, Balance("--tuned", tuned));

        using var before = CheckpointChanges.Open(tiny.Folder, tuned);
        using var after = CheckpointChanges.Open(tiny.Folder, Out);
        Assert.Equal(before.Names, after.Names);
        foreach (var name in before.Names)
        {
            using var old = before.Open(name, CPU);
            using var made = after.Open(name, CPU);
            var expected = Expected(name, Delta(old), 0.5);
            Assert.InRange((expected - Delta(made)).norm().item<double>() / expected.norm().item<double>(), 0, 1e-4);
        }
        using var one = Checkpoint.Open(tuned);
        using var other = Checkpoint.Open(Out);
        foreach (var key in one.Entries.Keys.Where(key => !before.Names.Contains(key[..Math.Max(0, key.LastIndexOf('.'))]) || !key.EndsWith(".weight", StringComparison.Ordinal)))
            Assert.Equal(one.Read(key).bytes.ToArray(), other.Read(key).bytes.ToArray());
        Assert.Equal("checkpoint", written.GetProperty("form").GetString());
        Assert.Equal(0.5, written.GetProperty("strength").GetDouble());
    }

    // Without --base: the one in the model file is run after that was closed.
    [Theory]
    [InlineData("lora", "adapter_model.safetensors")]
    [InlineData("full", "model.safetensors")]
    public void Balance_ModelFile_IsWhatItsFilesGive(string method, string weights)
    {
        var (model, files) = (_folder.File("m.mlnet"), _folder.File("files"));
        Run.Json(Json, [.. tiny.Train(), "--method", method, "--out", model]);
        Run.Json(Json, ["rescale", "--model", model, "--scale", "1", .. ModelChanges.Settings, "--out", files]);

        var ofModel = Run.Json(Json, [.. Balance("--model", model, _folder.File("a")).Except(["--base", tiny.Folder])]);
        Run.Json(Json, Balance(method == "lora" ? "--adapter" : "--tuned", files, _folder.File("b")));

        Assert.Contains(ofModel.GetProperty("matrices").EnumerateArray(), matrix => matrix.GetProperty("distance").GetDouble() > 0);
        Assert.Equal(0, ModelChanges.Difference(_folder.File("a"), _folder.File("b"), weights));
    }

    [Fact]
    public void Balance_StrengthZero_ReturnsTheWeightsToTheByte()
    {
        var (adapter, tuned) = (Adapter(), Tuned());

        Run.Json(Json, [.. Balance("--adapter", adapter), "--strength", "0"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(adapter, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(Out, "adapter_model.safetensors")));

        Run.Json(Json, [.. Balance("--tuned", tuned, _folder.File("checkpoint")), "--strength", "0"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(tuned, "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder.File("checkpoint"), "model.safetensors")));
    }

    [Theory]
    [InlineData("--adapter")]
    [InlineData("--tuned")]
    public void Balance_ToARank_CutsTheChange(string form)
    {
        var model = form == "--adapter" ? Adapter() : Tuned();
        Run.Json(Json, Balance(form, model, _folder.File("exact")));

        var written = Run.Json(Json, [.. Balance(form, model), "--rank", "2"]);

        using var exact = Changes(form, _folder.File("exact"));
        using var cut = Changes(form, Out);
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            using var whole = exact.Open(matrix.GetProperty("name").GetString()!, CPU);
            using var less = cut.Open(matrix.GetProperty("name").GetString()!, CPU);
            var values = linalg.svdvals(Delta(whole));
            Assert.Equal(2, matrix.GetProperty("rank").GetInt32());
            SpectralParity.AssertClose(values[2..].norm().item<double>(), matrix.GetProperty("truncation_error").GetDouble(), 1e-3);
            SpectralParity.AssertClose(values[2..].norm().item<double>(), (Delta(whole) - Delta(less)).norm().item<double>(), 1e-3);
        }

        IWeightChanges Changes(string named, string folder) =>
            named == "--adapter" ? AdapterChanges.Open(tiny.Folder, folder) : CheckpointChanges.Open(tiny.Folder, folder);
    }

    [Fact]
    public void Balance_PlainTextTask_ReadsTheLines()
    {
        var adapter = Adapter();
        var lines = _folder.Write("rows.txt", string.Concat(Rows.Select(row => $"{row}\n")));
        Run.Json(Json, Balance("--adapter", adapter));
        var arguments = Balance("--adapter", adapter, _folder.File("lines"));

        Run.Json(Json, [.. arguments[..Array.IndexOf(arguments, "--task")], "--task", lines]);

        Assert.Equal(File.ReadAllBytes(Path.Combine(Out, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(_folder.File("lines"), "adapter_model.safetensors")));
    }

    [Fact]
    public void Balance_Json_HasTheFieldsPromised()
    {
        var written = Run.Json(Json, Balance("--tuned", Tuned()));

        Assert.StartsWith(
            "{matrices: [{name: string, frobenius: number, delta_frobenius: number, rank: integer, truncation_error: integer, distance: number, task_shift: number, "
            + "retention_left: number}], strength: number, which: string, form: string, task_tokens: integer, retention_tokens: integer, seconds: number, skipped: {",
            JsonShape.Of(written), StringComparison.Ordinal);
        Assert.Equal("balance", written.GetProperty("which").GetString());
    }

    [Fact]
    public void Balance_BadFiles_AreRefusedAndNothingIsWritten()
    {
        var adapter = Adapter();
        var arguments = Balance("--adapter", adapter);
        string[] With(string option, string value) => [.. arguments.Select((argument, n) => n > 0 && arguments[n - 1] == option ? value : argument)];

        Run.Of(With("--texts", _folder.Write("blank.txt", "\n\n"))).AssertRefused("blank.txt: there is no text, only blank lines.");
        Run.Of(With("--texts", _folder.Write("short.txt", "a\nb\n"))).AssertRefused("short.txt: no line has two tokens or more; give sentences or paragraphs.");
        Run.Of(With("--texts", _folder.File("none.txt"))).AssertRefused("none.txt: there is no such file.");
        Run.Of(With("--text", "Revue")).AssertRefused("there is no column 'Revue'; the header has 'Label', 'Review'.");
        Run.Of(With("--task", _folder.Write("empty.tsv", "Label\tReview\ngood\t \n"))).AssertRefused("empty.tsv: there is no text in column 'Review'.");
        Run.Of([.. arguments[..Array.IndexOf(arguments, "--text")]]).AssertRefused("is a table; name the column with the text with --text.");
        Run.Of(With("--base", Path.Combine(tiny.Folder, "model.safetensors"))).AssertRefused("weights alone cannot be run");
        Run.Of([.. arguments, "--max-tokens", "5000"]).AssertRefused("--max-tokens is 5000; ");
        Run.Of([.. arguments, "--json", tiny.Text]).AssertRefused("--texts");

        Assert.False(Directory.Exists(Out));
    }

    private static IEnumerable<string> Rows => TinyBase.Films(24).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line.Split('\t')[1]);

    private string[] Balance(string form, string model, string? output = null) =>
    [
        "rescale", "--base", tiny.Folder, form, model, "--which", "balance", "--out", output ?? Out, "--device", "cpu", "--texts", tiny.Text, "--task", tiny.Rows, "--text", "Review",
    ];

    private string Adapter()
    {
        var folder = _folder.File("adapter");
        var ml = new MLContext();
        using var model = (IDisposable)ml.Model.Load(tiny.Model, out _);
        ml.Model.SaveAdapter((ITransformer)model, folder);
        return folder;
    }

    // The base, trained on by another seed.
    private string Tuned()
    {
        var folder = _folder.File("tuned");
        Assert.Equal(CommandLine.Done, Run.Of("train", "--task", "masked", "--base", tiny.Folder, "--data", tiny.Text, "--seed", "9", "--learning-rate", "0.003", "--out", folder).ExitCode);
        return folder;
    }

    private static Tensor Delta(OwnedWeightChange owned) => owned.Change.IsLowRank
        ? owned.Change.B!.to(float64).matmul(owned.Change.A!.to(float64)) * owned.Change.Scale
        : owned.Change.Tuned!.to(float64) - owned.Change.Base.to(float64);

    // By another solver than the library's.
    private Tensor Expected(string name, Tensor delta, double strength)
    {
        var model = PretrainedModel.FromFolder(tiny.Folder);
        var longest = model.Config.MaxTokens;
        using var task = EncoderMoments.Collect(model, [.. Rows.Select(row => model.Tokenizer.Encode(row, null, longest))], 8, CPU);
        using var retention = EncoderMoments.Collect(model, MomentRows.SampleMasked([.. File.ReadAllLines(tiny.Text)], model.Tokenizer, longest, 16_384, 0), 8, CPU);
        var (c, r) = (Shrunk(task.Of(name)), Shrunk(retention.Of(name)));
        return delta.matmul(c).matmul(linalg.inv(c + (r * strength)));

        static Tensor Shrunk(Tensor moment) => moment + (eye(moment.shape[0], dtype: float64, device: CPU) * (0.01 * moment.diagonal().mean()));
    }
}
