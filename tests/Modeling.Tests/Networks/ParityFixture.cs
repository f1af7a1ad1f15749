using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>A folder with a checkpoint, inputs, and what the reference implementation computed from them.</summary>
internal sealed class ParityFixture : IDisposable
{
    private readonly JsonDocument _json;
    private readonly SafetensorsFile _expected;

    private ParityFixture(string folder)
    {
        Config = EncoderConfig.FromFile(Path.Combine(folder, "config.json"));
        using var checkpoint = Checkpoint.Open(folder);
        Weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
        _expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        _json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        Batch = BatchFor(Config);
    }

    public EncoderConfig Config { get; }

    public Dictionary<string, Tensor> Weights { get; }

    public TokenBatch Batch { get; }

    public JsonElement Expected => _json.RootElement;

    public static ParityFixture Open(string folder) => new(folder);

    /// <summary>The reference inputs as a network of another configuration counts their positions; the caller disposes it.</summary>
    public TokenBatch BatchFor(EncoderConfig config) => TokenBatch.FromArrays(
        Numbers("input_ids"), [.. Numbers("attention_mask").Select(mask => mask == 1)],
        Expected.TryGetProperty("token_type_ids", out _) ? Numbers("token_type_ids") : null,
        Expected.GetProperty("input_ids").GetArrayLength(), config, CPU);

    public ParameterSource Source() => new(Weights, CPU, isTrainable: _ => false, generator: null);

    public T Build<T>(Func<NetworkContext, ParameterSource, T> build, IProjectionFactory? projections = null) where T : nn.Module
    {
        var network = build(new NetworkContext(Config, projections ?? new PlainProjections(), Dropout: null), Source());
        network.eval();
        return network;
    }

    public void AssertClose(string name, Tensor actual, double tolerance) => AssertClose(_expected.Read(name), actual, tolerance);

    /// <summary>Every attended position within the tolerance; values at padding mean nothing.</summary>
    public void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Assert.Equal(expected.shape, actual.shape);
        var difference = (expected - actual).abs();
        if (actual.shape.Length == 3) difference = difference.masked_select(Batch.Attended.unsqueeze(-1));
        Assert.InRange(difference.max().item<float>(), 0, tolerance);
        expected.Dispose();
    }

    public double MeanLoss(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var labels = tensor(Numbers("labels"), device: CPU);
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels, ignore_index: -100).item<float>();
    }

    public void Dispose()
    {
        foreach (var weight in Weights.Values) weight.Dispose();
        Batch.Dispose();
        _expected.Dispose();
        _json.Dispose();
    }

    private long[] Numbers(string name) =>
        [.. Expected.GetProperty(name).EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(number => number.GetInt64())];
}
