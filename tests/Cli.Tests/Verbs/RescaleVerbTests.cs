using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

public sealed class RescaleVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Out => _folder.File("out");

    private string Json => _folder.File("run.json");

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, string, double> Ways
    {
        get
        {
            var ways = new TheoryData<string, string, string, double>();
            (string, string)[] kinds = [("all", "all"), ("top", "top"), ("neighbour", "neighbour"), ("uniform", "uniform_matching_all")];
            foreach (var (which, kind) in kinds)
                foreach (var scale in new[] { 0, 0.3, 0.7, 2 })
                    foreach (var method in new[] { "fast", "reference" }) ways.Add(which, kind, method, scale);
            return ways;
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Rescale_Fixture_AgreesWithFloat64(string which, string field, string method, double scale)
    {
        var written = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", $"{scale}", "--which", which, "--method", method, "--out", Out]);

        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(Out);
        var expected = SpectralParity.Expected();
        Assert.Equal(5, written.GetProperty("matrices").GetArrayLength());
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            var name = matrix.GetProperty("name").GetString()!;
            // Where there is no intruder, the other program notes only two of the kinds: the matrix stays.
            var kinds = expected.GetProperty(name).GetProperty("rescaled").GetProperty(scale.ToString("F1", System.Globalization.CultureInfo.InvariantCulture));
            var wanted = kinds.GetProperty(kinds.TryGetProperty(field, out _) ? field : "all");
            SpectralParity.AssertClose(wanted.GetProperty("frobenius").GetDouble(), matrix.GetProperty("frobenius").GetDouble(), 1e-5);
            SpectralParity.AssertClose(wanted.GetProperty("delta_frobenius").GetDouble(), matrix.GetProperty("delta_frobenius").GetDouble(), 1e-5);
            var tensor = checkpoint.Read(name + ".weight", float64);
            var side = tensor.shape.Min();
            SpectralParity.AssertClose(wanted.GetProperty("frobenius").GetDouble(), tensor.norm().item<double>(), 1e-5);
            Assert.Equal(
                wanted.GetProperty("first_diagonal_square_trace").GetDouble(), tensor.narrow(0, 0, side).narrow(1, 0, side).trace().item<double>(), 1e-4);
        }
    }

    [Fact]
    public void Rescale_UniformGlobal_MovesAllMatricesByOneFactorAsFarAsTheIntrudersWould()
    {
        var intruders = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.3", "--which", "all", "--out", _folder.File("all")]);
        var control = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.3", "--which", "uniform-global", "--out", Out]);

        Assert.Single(Each(control, "uniform_factor").Distinct());
        Assert.InRange(Each(control, "uniform_factor")[0], 0.1, 0.9);
        SpectralParity.AssertClose(Length(Each(intruders, "distance")), Length(Each(control, "distance")), 1e-9);
        using var scope = NewDisposeScope();
        SpectralParity.AssertClose(Length(Each(control, "distance")), Distance(Path.Combine(Out, "model.safetensors"), SpectralParity.Tuned), 1e-5);
    }

    [Fact]
    public void Rescale_MatchNorm_LeavesChangesOfTheNormThatTheIntrudersWouldLeave()
    {
        var intruders = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.7", "--which", "all", "--out", _folder.File("all")]);
        var control = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.7", "--which", "uniform", "--match", "norm", "--out", Out]);

        foreach (var (one, other) in Each(intruders, "delta_frobenius").Zip(Each(control, "delta_frobenius"))) SpectralParity.AssertClose(one, other, 1e-9);
    }

    [Fact]
    public void Rescale_FactorOne_ReturnsTheCheckpointToTheBit()
    {
        Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "1", "--which", "all", "--out", Out]);

        Assert.Equal(File.ReadAllBytes(SpectralParity.Tuned), File.ReadAllBytes(Path.Combine(Out, "model.safetensors")));
    }

    [Fact]
    public void Rescale_CheckpointToARank_CutsTheChange()
    {
        var written = Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.3", "--which", "all", "--rank", "2", "--out", Out]);
        Run.Json(Json, ["rescale", .. SpectralParity.Inputs, "--scale", "0.3", "--which", "all", "--out", _folder.File("exact")]);

        using var scope = NewDisposeScope();
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            var name = matrix.GetProperty("name").GetString()!;
            var exact = Delta(Path.Combine(_folder.File("exact"), "model.safetensors"), name);
            var values = linalg.svdvals(exact);
            Assert.Equal(2, matrix.GetProperty("rank").GetInt32());
            SpectralParity.AssertClose(values[2..].norm().item<double>(), matrix.GetProperty("truncation_error").GetDouble(), 1e-5);
            SpectralParity.AssertClose(values[..2].norm().item<double>(), matrix.GetProperty("delta_frobenius").GetDouble(), 1e-5);
            var cut = Delta(Path.Combine(Out, "model.safetensors"), name);
            Assert.InRange(linalg.svdvals(cut)[2].item<double>(), 0, 1e-5);
            SpectralParity.AssertClose(values[2..].norm().item<double>(), (exact - cut).norm().item<double>(), 1e-4);
        }
    }

    [Fact]
    public void Rescale_HalfPrecision_KeepsTheTypeAndRefusesWhatLeavesIt()
    {
        // The axes, and one direction that lies between all of them: an intruder of length 6 · 8192.
        using var scope = NewDisposeScope();
        var before = diag(tensor(new[] { 6f, 5f, 4f, 3f, 2f, 1f }, device: CPU)).to(float16);
        var after = before + full([6, 6], 8192f, dtype: float16, device: CPU);
        string[] inputs =
        [
            "--base", TensorFile.Write(_folder.File("a.safetensors"), ("a.weight", before)), "--tuned", TensorFile.Write(_folder.File("b.safetensors"), ("a.weight", after)),
            "--top-k", "1", "--no-cache", "--device", "cpu",
        ];

        Run.Json(Json, ["rescale", .. inputs, "--scale", "0.5", "--out", Out]);

        using var written = Checkpoint.Open(Out);
        Assert.Equal(ScalarType.Float16, written.Entries["a.weight"].DataType);
        Assert.Equal(4096, written.Read("a.weight", float64)[0, 5].item<double>(), 8.0);
        Run.Of(["rescale", .. inputs, "--scale", "10", "--out", _folder.File("amplified")]).AssertRefused("a: rescaled values leave the range of Float16");
        Assert.False(Directory.Exists(_folder.File("amplified")));
    }

    [Fact]
    public void Rescale_AdapterByOne_GivesReferenceLogits()
    {
        var reference = SharedData.Path("roberta-tiny-parity");
        var adapter = Path.Combine(reference, "adapter");
        Run.Json(Json, "rescale", "--base", reference, "--adapter", adapter, "--scale", "1", "--out", Out, "--device", "cpu");

        Run.Json(Json, "forward", "--base", reference, "--adapter", Out, "--inputs", Path.Combine(reference, "expected.json"), "--out", _folder.File("o.safetensors"), "--device", "cpu");

        using var scope = NewDisposeScope();
        using var expected = Checkpoint.Open(Path.Combine(adapter, "expected.safetensors"));
        using var actual = Checkpoint.Open(_folder.File("o.safetensors"));
        using var inputs = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(reference, "expected.json")));
        var mask = inputs.RootElement.GetProperty("attention_mask").EnumerateArray().SelectMany(row => row.EnumerateArray());
        var attended = tensor(mask.Select(one => one.GetInt32() == 1).ToArray(), [4L, 16L, 1L], dtype: @bool, device: CPU);
        Assert.InRange((expected.Read("logits") - actual.Read("logits")).abs().masked_select(attended).max().item<float>(), 0, 2e-5);
        Assert.Equal(File.ReadAllBytes(Path.Combine(adapter, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(Out, "adapter_model.safetensors")));
    }

    [Fact]
    public void Rescale_AdapterExactly_GivesTheFloat64ResultWithin1e6()
    {
        var reference = SharedData.Path("roberta-tiny-parity");

        var written = Run.Json(Json, ["rescale", .. AdapterInputs(reference), "--scale", "0.3", "--which", "all", "--out", Out]);

        using var scope = NewDisposeScope();
        using var before = AdapterChanges.Open(reference, Path.Combine(reference, "adapter"));
        using var after = AdapterChanges.Open(reference, Out);
        Assert.Contains(written.GetProperty("matrices").EnumerateArray(), matrix => matrix.GetProperty("triples").GetArrayLength() > 0);
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            var name = matrix.GetProperty("name").GetString()!;
            var triples = SpectralParity.Indices(matrix.GetProperty("triples"));
            using var old = before.Open(name, CPU);
            using var made = after.Open(name, CPU);
            var (u, s, vh) = linalg.svd(Merged(old), fullMatrices: false);
            foreach (var index in triples) s[index] *= 0.3;
            Assert.InRange((u.mul(s).matmul(vh) - Merged(made)).abs().max().item<double>(), 0, 1e-6);
            Assert.Equal(4 + triples.Length, matrix.GetProperty("rank").GetInt32());
            Assert.Equal(4 + triples.Length, (int)made.Change.A!.shape[0]);
            Assert.Equal(0, matrix.GetProperty("truncation_error").GetDouble());
            SpectralParity.AssertClose(Merged(made).norm().item<double>(), matrix.GetProperty("frobenius").GetDouble(), 1e-6);
        }
    }

    [Fact]
    public void Rescale_AdapterToARank_CutsTheChange()
    {
        var reference = SharedData.Path("roberta-tiny-parity");
        Run.Json(Json, ["rescale", .. AdapterInputs(reference), "--scale", "0.3", "--which", "all", "--out", _folder.File("exact")]);

        var written = Run.Json(Json, ["rescale", .. AdapterInputs(reference), "--scale", "0.3", "--which", "all", "--rank", "3", "--out", Out]);

        using var scope = NewDisposeScope();
        using var exact = AdapterChanges.Open(reference, _folder.File("exact"));
        using var cut = AdapterChanges.Open(reference, Out);
        foreach (var matrix in written.GetProperty("matrices").EnumerateArray())
        {
            var name = matrix.GetProperty("name").GetString()!;
            using var whole = exact.Open(name, CPU);
            using var less = cut.Open(name, CPU);
            var values = linalg.svdvals(Merged(whole) - whole.Change.Base.to(float64));
            Assert.Equal((3, 3L), (matrix.GetProperty("rank").GetInt32(), less.Change.A!.shape[0]));
            SpectralParity.AssertClose(values[3..].norm().item<double>(), matrix.GetProperty("truncation_error").GetDouble(), 1e-5);
            SpectralParity.AssertClose(values[3..].norm().item<double>(), (Merged(whole) - Merged(less)).norm().item<double>(), 1e-5);
            SpectralParity.AssertClose(Merged(less).norm().item<double>(), matrix.GetProperty("frobenius").GetDouble(), 1e-6);
        }
    }

    [Fact]
    public void Rescale_IdenticalCheckpoints_StayAsTheyAre()
    {
        var path = TensorFile.Write(_folder.File("a.safetensors"), 1, ("a.weight", [20, 20]));

        foreach (var which in new[] { "top", "all", "neighbour", "uniform", "uniform-global" })
        {
            var written = Run.Json(Json, "rescale", "--base", path, "--tuned", path, "--scale", "0", "--which", which, "--out", Out, "--no-cache", "--device", "cpu");

            Assert.Equal(0, written.GetProperty("matrices")[0].GetProperty("delta_frobenius").GetDouble());
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(Out, "model.safetensors")));
        }
    }

    [Fact]
    public void Rescale_Json_HasTheFieldsPromised()
    {
        var path = TensorFile.Write(_folder.File("a.safetensors"), 1, ("a.weight", [20, 20]), ("norm.weight", [20]));
        var other = TensorFile.Write(_folder.File("b.safetensors"), 2, ("a.weight", [20, 20]), ("norm.weight", [20]));

        var written = Run.Json(Json, "rescale", "--base", path, "--tuned", other, "--scale", "0.5", "--rank", "3", "--out", Out, "--no-cache", "--device", "cpu");

        Assert.Equal(
            "{matrices: [{name: string, frobenius: number, delta_frobenius: number, rank: integer, truncation_error: number, triples: [integer], uniform_factor: integer, "
            + "distance: number, is_measurable: true, is_clipped: false}], scale: number, which: string, form: string, seconds: number, skipped: {norm.weight: string}}",
            JsonShape.Of(written));
    }

    [Fact]
    public void Rescale_OutThatIsRead_IsRefused()
    {
        var model = Directory.CreateDirectory(_folder.File("model")).FullName;
        var weights = TensorFile.Write(Path.Combine(model, "model.safetensors"), 1, ("a.weight", [20, 20]));
        var bytes = File.ReadAllBytes(weights);
        var other = Directory.CreateDirectory(_folder.File("other")).FullName;
        TensorFile.Write(Path.Combine(other, "model.safetensors"), 2, ("a.weight", [20, 20]));
        File.CreateSymbolicLink(_folder.File("link"), model);
        void Refused(string tuned, string output, string expected) =>
            Run.Of("rescale", "--base", other, "--tuned", tuned, "--scale", "0", "--out", output, "--no-cache", "--device", "cpu").AssertRefused(expected);

        Refused(model, model, "--tuned is read from this folder; choose another for --out.");
        Refused(weights, model + "/", "--tuned is read from this folder; choose another for --out.");
        Refused(model, _folder.File("link"), "--tuned is read from this folder; choose another for --out.");
        Refused(model, other, "--base is read from this folder; choose another for --out.");

        Assert.Equal(bytes, File.ReadAllBytes(weights));
    }

    [Fact]
    public void Rescale_OutThatCannotBeWritten_IsRefused()
    {
        var path = TensorFile.Write(_folder.File("a.safetensors"), 1, ("a.weight", [20, 20]));
        string[] With(string output) => ["rescale", "--base", path, "--tuned", path, "--scale", "0", "--out", output, "--no-cache", "--device", "cpu"];

        Run.Of(With(path)).AssertRefused("is a file; name a folder to write.");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has /proc, which nobody may write.");
        Run.Of(With("/proc/out")).AssertRefused("/proc");
    }

    private static string[] AdapterInputs(string reference) =>
        ["--base", reference, "--adapter", Path.Combine(reference, "adapter"), "--no-cache", "--device", "cpu"];

    private static Tensor Merged(OwnedWeightChange owned) =>
        owned.Change.Base.to(float64) + owned.Change.B!.to(float64).matmul(owned.Change.A!.to(float64)) * owned.Change.Scale;

    private static Tensor Delta(string path, string name) => Read(path, name) - Read(SharedData.Path("spectral-parity", "base.safetensors"), name);

    private static Tensor Read(string path, string name)
    {
        using var file = Checkpoint.Open(path);
        return file.Read(name + ".weight", float64);
    }

    private static double Distance(string path, string other)
    {
        using var file = Checkpoint.Open(path);
        return Length([.. file.Entries.Keys.Select(key => key[..^".weight".Length]).Select(name => (Read(path, name) - Read(other, name)).norm().item<double>())]);
    }

    private static double[] Each(JsonElement written, string field) =>
        [.. written.GetProperty("matrices").EnumerateArray().Select(matrix => matrix.GetProperty(field).GetDouble())];

    private static double Length(double[] parts) => Math.Sqrt(parts.Sum(part => part * part));
}
