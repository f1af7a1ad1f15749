using System.Text.Json;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Tests.Verbs;

public sealed class InspectVerbTests(TinyBase tiny) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Json => _folder.File("run.json");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("fast")]
    [InlineData("reference")]
    public void Inspect_Fixture_AgreesWithFloat64(string method)
    {
        var found = Run.Json(Json, ["inspect", .. SpectralParity.Inputs, "--epsilon", "0.5,0.1,0.3,0.7,0.9", "--method", method]);

        var expected = SpectralParity.Expected();
        Assert.Equal(expected.EnumerateObject().Select(one => one.Name).Order(), Names(found).Order());
        foreach (var matrix in found.GetProperty("matrices").EnumerateArray())
        {
            var wanted = expected.GetProperty(matrix.GetProperty("name").GetString()!);
            Assert.Equal(SpectralParity.Indices(wanted.GetProperty("shape")), new[] { matrix.GetProperty("rows").GetInt32(), matrix.GetProperty("columns").GetInt32() });
            foreach (var (cosine, actual) in Pairs(wanted.GetProperty("max_abs_cosine"), matrix.GetProperty("max_abs_cosine"))) Assert.Equal(cosine, actual, 1e-4);
            foreach (var (value, actual) in Pairs(wanted.GetProperty("singular_values"), matrix.GetProperty("singular_values"))) SpectralParity.AssertClose(value, actual, 1e-5);
            Assert.Equal(SpectralParity.Indices(wanted.GetProperty("intruders_eps_0_5")), SpectralParity.Indices(matrix.GetProperty("intruders")));
            foreach (var epsilon in wanted.GetProperty("intruders_by_epsilon").EnumerateObject())
                Assert.Equal(SpectralParity.Indices(epsilon.Value), SpectralParity.Indices(matrix.GetProperty("by_epsilon").GetProperty(epsilon.Name)));
            Assert.Equal(wanted.GetProperty("effective_rank_of_delta").GetDouble(), matrix.GetProperty("effective_rank").GetDouble(), 1e-3);
            SpectralParity.AssertClose(wanted.GetProperty("delta_frobenius").GetDouble(), matrix.GetProperty("delta_frobenius").GetDouble(), 1e-5);
            SpectralParity.AssertClose(wanted.GetProperty("intruder_energy_share").GetDouble(), matrix.GetProperty("intruder_energy_share").GetDouble(), 1e-5);
            Assert.Equal(
                SpectralParity.Numbers(wanted.GetProperty("max_abs_cosine")).Min(cosine => Math.Abs(cosine - 0.5)), matrix.GetProperty("margin").GetDouble(), 1e-4);
        }
        var totals = found.GetProperty("totals");
        Assert.Equal((5, 7), (totals.GetProperty("matrices").GetInt32(), totals.GetProperty("intruders").GetInt32()));
        Assert.True(totals.GetProperty("seconds").GetDouble() > 0);
    }

    [Fact]
    public void Inspect_Json_HasTheFieldsPromised()
    {
        var (before, after) = Pair();

        var found = Run.Json(Json, "inspect", "--base", before, "--tuned", after, "--top-k", "2,3", "--epsilon", "0.999", "--no-cache", "--device", "cpu");

        Assert.Equal(
            "{name: string, rows: integer, columns: integer, max_abs_cosine: [number], singular_values: [number], intruders: [integer], "
            + "by_epsilon: {0.999: [integer]}, margin: number, effective_rank: number, delta_frobenius: number, intruder_energy_share: number, ill_defined: [], "
            + "evidence: [string], by_top_k: {2: {0.999: [integer]}, 3: {0.999: [integer]}}, base_frobenius: number, tuned_frobenius: number, delta_stable_rank: number}",
            // A share of exactly 1 has no decimals.
            JsonShape.Of(found.GetProperty("matrices")[0]).Replace("energy_share: integer", "energy_share: number", StringComparison.Ordinal));
        Assert.Equal(
            "{matrices: integer, intruders: integer, seconds: number, ill_defined: integer, by_epsilon: {0.999: integer}, delta_frobenius: number, bases_found: integer}",
            JsonShape.Of(found.GetProperty("totals")));
        Assert.Equal("vector", found.GetProperty("skipped").GetProperty("norm.weight").GetString());
    }

    [Fact]
    public void Inspect_Side_ChoosesTheVectors()
    {
        // Row 0 moves to a new right direction only: left vectors stay the axes.
        using var before = diag(tensor(new[] { 5f, 4f, 3f, 2f, 1f, 0.5f }, device: CPU)).narrow(0, 0, 4).contiguous();
        using var after = before.clone();
        after[0] = tensor(new[] { 0f, 0f, 0f, 0f, 0f, 6f }, device: CPU);
        string[] inputs = ["--base", File("base", before), "--tuned", File("tuned", after), "--top-k", "1", "--no-cache", "--device", "cpu"];

        Assert.Equal("[]", Run.Json(Json, ["inspect", .. inputs, "--side", "left"]).GetProperty("matrices")[0].GetProperty("intruders").GetRawText());
        Assert.Equal([0], SpectralParity.Indices(Run.Json(Json, ["inspect", .. inputs, "--side", "right"]).GetProperty("matrices")[0].GetProperty("intruders")));
    }

    [Fact]
    public void Inspect_LlamaAgainstItself_FindsNoChange()
    {
        var model = SharedData.Path("stories260K");

        var found = Run.Json(Json, "inspect", "--base", model, "--tuned", model, "--device", "cpu");

        Assert.Equal(35, found.GetProperty("matrices").GetArrayLength());
        foreach (var matrix in found.GetProperty("matrices").EnumerateArray())
        {
            Assert.Equal((0.0, 0.0, 0), (matrix.GetProperty("delta_frobenius").GetDouble(), matrix.GetProperty("effective_rank").GetDouble(), matrix.GetProperty("intruders").GetArrayLength()));
            Assert.All(SpectralParity.Numbers(matrix.GetProperty("max_abs_cosine")), cosine => Assert.Equal(1, cosine));
        }
        Assert.Equal("embedding", found.GetProperty("skipped").GetProperty("model.embed_tokens.weight").GetString());
    }

    [Fact]
    public void Inspect_Adapter_MeasuresWhatItChanges()
    {
        var reference = SharedData.Path("roberta-tiny-parity");

        var found = Run.Json(Json, "inspect", "--base", reference, "--adapter", Path.Combine(reference, "adapter"), "--device", "cpu");

        Assert.Equal(
            ["0.attention.self.query", "0.attention.self.value", "1.attention.self.query", "1.attention.self.value", "2.attention.self.query", "2.attention.self.value"],
            Names(found).Select(name => name["roberta.encoder.layer.".Length..]));
        Assert.All(found.GetProperty("matrices").EnumerateArray(), matrix => Assert.InRange(matrix.GetProperty("effective_rank").GetDouble(), 1, 4));
    }

    [Fact]
    public void Inspect_Roberta_LeavesOutEmbeddingsAndHead()
    {
        var found = Run.Json(Json, "inspect", "--base", tiny.Folder, "--tuned", tiny.Folder, "--device", "cpu");

        Assert.Equal(12, found.GetProperty("matrices").GetArrayLength());
        Assert.Equal("language-model head", found.GetProperty("skipped").GetProperty("lm_head.dense.weight").GetString());
    }

    [Fact]
    public void Inspect_TopKAboveTheShorterSide_JudgesAllAndSaysSo()
    {
        var (before, after) = Pair();

        var run = Run.Of("inspect", "--base", before, "--tuned", after, "--top-k", "100", "--no-cache", "--json", Json, "--device", "cpu");

        Assert.Equal(CommandLine.Done, run.ExitCode);
        Assert.Contains("--top-k 100 is more than 1 of the 1 matrices have singular values; of those all are judged.", run.Error, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(System.IO.File.ReadAllBytes(Json));
        Assert.Equal(5, json.RootElement.GetProperty("matrices")[0].GetProperty("max_abs_cosine").GetArrayLength());
    }

    [Fact]
    public void Inspect_Output_ListsMatricesByIntrudersAndTotals()
    {
        var run = Run.Of(["inspect", .. SpectralParity.Inputs]);

        Assert.Equal((CommandLine.Done, ""), (run.ExitCode, run.Error));
        var lines = run.Output.Split('\n').Select(line => line.Trim()).ToList();
        Assert.Equal(["wide", "tall", "square"], lines.Where(line => line.StartsWith("wide") || line.StartsWith("tall") || line.StartsWith("square")).Select(line => line.Split(' ')[0]));
        Assert.Contains(lines, line => line.StartsWith("5 matrices", StringComparison.Ordinal) && line.Contains(" 7 "));
    }

    [Fact]
    public void Inspect_Cache_IsFoundTheSecondTime()
    {
        var before = TensorFile.Write(_folder.File("base.safetensors"), 1, ("a.weight", [256, 256]));
        var after = TensorFile.Write(_folder.File("tuned.safetensors"), 2, ("a.weight", [256, 256]));
        string[] arguments = ["inspect", "--base", before, "--tuned", after, "--cache", _folder.File("cache"), "--device", "cpu"];

        var first = Run.Json(Json, arguments);
        var second = Run.Json(Json, arguments);

        Assert.Equal((0, 1), (BasesFound(first), BasesFound(second)));
        Assert.Equal(first.GetProperty("matrices").GetRawText(), second.GetProperty("matrices").GetRawText());
        Run.Of([.. arguments, "--no-cache"]).AssertRefused("--cache and --no-cache are both given; give one of them.");
    }

    [Fact]
    public void Inspect_BadFiles_AreRefusedAndNothingWritten()
    {
        var (before, _) = Pair();
        var wider = TensorFile.Write(_folder.File("wider.safetensors"), 1, ("a.weight", [5, 7]), ("norm.weight", [5]));
        var fewer = TensorFile.Write(_folder.File("fewer.safetensors"), 1, ("norm.weight", [5]));
        using var nan = full([5, 6], float.NaN, device: CPU);
        using var norm = ones(5, device: CPU);
        var broken = TensorFile.Write(_folder.File("broken.safetensors"), ("a.weight", nan), ("norm.weight", norm));
        void Refused(string tuned, string expected) =>
            Run.Of("inspect", "--base", before, "--tuned", tuned, "--json", Json, "--no-cache", "--device", "cpu").AssertRefused(expected);

        Refused(wider, "'a.weight' is (5, 6) in the base and (5, 7) in the tuned checkpoint");
        Refused(fewer, "fewer.safetensors: lacks 1 tensor of the base: 'a.weight'");
        Refused(broken, "30 of the 30 values of tensor 'a.weight' are NaN or infinite");
        Refused(_folder.File("absent"), "absent: there is no such folder");
        Refused(_folder.Write("text.safetensors", "no safetensors"), "text.safetensors: ");

        Assert.False(System.IO.File.Exists(Json));
    }

    private static int BasesFound(JsonElement found) => found.GetProperty("totals").GetProperty("bases_found").GetInt32();

    private static IEnumerable<string> Names(JsonElement found) => found.GetProperty("matrices").EnumerateArray().Select(matrix => matrix.GetProperty("name").GetString()!);

    private static IEnumerable<(double, double)> Pairs(JsonElement expected, JsonElement actual)
    {
        var (wanted, found) = (SpectralParity.Numbers(expected), SpectralParity.Numbers(actual));
        Assert.Equal(wanted.Length, found.Length);
        return wanted.Zip(found);
    }

    private (string Before, string After) Pair() => (
        TensorFile.Write(_folder.File("a.safetensors"), 1, ("a.weight", [5, 6]), ("norm.weight", [5])),
        TensorFile.Write(_folder.File("b.safetensors"), 2, ("a.weight", [5, 6]), ("norm.weight", [5])));

    private string File(string name, Tensor matrix) => TensorFile.Write(_folder.File($"{name}.safetensors"), ("a.weight", matrix));
}
