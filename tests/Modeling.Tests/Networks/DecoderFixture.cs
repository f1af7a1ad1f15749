using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>A folder with a decoder, inputs, and what the reference implementation computed from them.</summary>
internal sealed class DecoderFixture : IDisposable
{
    private readonly JsonDocument _json;
    private readonly SafetensorsFile _expected;

    private DecoderFixture(string folder)
    {
        Config = DecoderConfig.FromFile(Path.Combine(folder, "config.json"));
        using var checkpoint = Checkpoint.Open(folder);
        Weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
        _expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        _json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        Attended = [.. Numbers("attention_mask").Select(mask => mask == 1)];
        RowCount = Expected.GetProperty("input_ids").GetArrayLength();
        Batch = CausalBatch.FromArrays(Numbers("input_ids"), Attended, RowCount, Config, CPU);
    }

    public DecoderConfig Config { get; }

    public Dictionary<string, Tensor> Weights { get; }

    public CausalBatch Batch { get; }

    public bool[] Attended { get; }

    public int RowCount { get; }

    public int TokenCount => Attended.Length / RowCount;

    public JsonElement Expected => _json.RootElement;

    public static DecoderFixture Open(string folder) => new(folder);

    public ParameterSource Source() => new(Weights, CPU, isTrainable: _ => false, generator: null);

    public CausalLanguageModel Build(IProjectionFactory? projections = null)
    {
        var network = new CausalLanguageModel(new DecoderContext(Config, projections ?? new PlainProjections(), Dropout: null), Source());
        network.eval();
        return network;
    }

    /// <summary>A row's ids without padding.</summary>
    public int[] Row(int row) =>
        [.. Numbers("input_ids").Zip(Attended).Skip(row * TokenCount).Take(TokenCount).Where(token => token.Second).Select(token => (int)token.First)];

    public Tensor Read(string name) => _expected.Read(name);

    /// <summary>Every attended position within the tolerance; values at padding mean nothing.</summary>
    public void AssertClose(string name, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var expected = Read(name);
        Assert.Equal(expected.shape, actual.shape);
        var difference = (expected - actual).abs().masked_select(tensor(Attended, [RowCount, TokenCount, 1], device: CPU));
        Assert.InRange(difference.max().item<float>(), 0, tolerance);
    }

    public double MeanLoss(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var labels = tensor(Numbers("labels"), [RowCount, TokenCount], dtype: int64, device: CPU);
        return NextTokenLoss.Mean(logits, labels).item<float>();
    }

    public long[] Numbers(string name) =>
        [.. Expected.GetProperty(name).EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(number => number.GetInt64())];

    public void Dispose()
    {
        foreach (var weight in Weights.Values) weight.Dispose();
        Batch.Dispose();
        _expected.Dispose();
        _json.Dispose();
    }
}
