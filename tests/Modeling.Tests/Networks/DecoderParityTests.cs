using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>Our decoder against independent implementations run on the same weights.</summary>
public class DecoderParityTests
{
    private const double LogitTolerance = 2e-5;
    private const double LossTolerance = 1e-5;

    /// <summary>Three by PyTorch, which lie beside the repository, and three of ours in float64, with biases and head widths that the others lack.</summary>
    public static TheoryData<string> Fixtures => ["llama3", "mistral", "qwen2", "tiny/llama", "tiny/mistral", "tiny/qwen2"];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void CausalLanguageModel_OnReferenceInputs_GivesReferenceLogitsHiddenStatesAndLoss(string fixture)
    {
        using var parity = Open(fixture);
        using var network = parity.Build();

        var (logits, hidden) = network.ForwardWithHiddenState(parity.Batch);

        parity.AssertClose("logits", logits, LogitTolerance);
        parity.AssertClose("last_hidden_state", hidden, LogitTolerance);
        Assert.Equal(parity.Expected.GetProperty("mean_loss").GetDouble(), parity.MeanLoss(logits), LossTolerance);
        logits.Dispose();
        hidden.Dispose();
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void RegisteredNames_AreTheCheckpointsKeysAndTheShapesAskedFor(string fixture)
    {
        using var parity = Open(fixture);
        using var network = parity.Build();

        var names = network.named_parameters().Select(parameter => parameter.name).Order(StringComparer.Ordinal).ToList();

        Assert.Equal(parity.Weights.Keys.Order(StringComparer.Ordinal), names);
        Assert.Equal(DecoderShapes.Of(parity.Config).Keys.Order(StringComparer.Ordinal), names);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void PaddingOnTheLeft_ChangesNoLogitOfAToken(string fixture)
    {
        using var parity = Open(fixture);
        using var network = parity.Build();
        using var scope = NewDisposeScope();
        using var padded = CausalBatch.Create([.. Enumerable.Range(0, parity.RowCount).Select(parity.Row)], parity.Config, CPU, padsLeft: true);

        var logits = network.forward(padded);

        var expected = parity.Read("logits");
        for (var row = 0; row < parity.RowCount; row++)
        {
            var length = parity.Row(row).Length;
            var difference = logits[row].narrow(0, parity.TokenCount - length, length) - expected[row].narrow(0, 0, length);
            Assert.InRange(difference.abs().max().item<float>(), 0, LogitTolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void TextsPackedIntoOneRow_GiveTheLogitsOfEachAlone(string fixture)
    {
        using var parity = Open(fixture);
        using var network = parity.Build();
        using var scope = NewDisposeScope();
        var rows = Enumerable.Range(0, parity.RowCount).Select(parity.Row).ToList();
        long[] ids = [.. rows.SelectMany(row => row.Select(id => (long)id))];
        long[] segments = [.. rows.SelectMany((row, text) => row.Select(_ => text + 1L))];
        using var packed = CausalBatch.FromSegments(ids, segments, 1, parity.Config, CPU);

        var logits = network.forward(packed)[0];
        var loss = NextTokenLoss.Mean(network.forward(packed), packed.Labels());

        var attended = tensor(parity.Attended, [parity.RowCount, parity.TokenCount], device: CPU);
        var expected = parity.Read("logits")[attended];
        Assert.InRange((logits - expected).abs().max().item<float>(), 0, LogitTolerance);
        Assert.Equal(parity.Expected.GetProperty("mean_loss").GetDouble(), loss.item<float>(), LossTolerance);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void CacheFedInPieces_GivesTheLogitsOfTheWhole(string fixture)
    {
        using var parity = Open(fixture);
        using var network = parity.Build();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = parity.Row(1);
        using var cache = new KeyValueCache(parity.Config, 1, row.Length, CPU, ScalarType.Float32);

        var expected = parity.Read("logits")[1];
        for (var start = 0; start < row.Length;)
        {
            var count = start == 0 ? 9 : start == 9 ? 5 : 1;
            using var piece = CausalBatch.FromTokens(row[start..(start + count)], start, CPU);
            var logits = network.ForwardLast(piece, cache);
            start += count;
            Assert.InRange((logits[0] - expected[start - 1]).abs().max().item<float>(), 0, LogitTolerance);
        }
        Assert.Equal(row.Length, cache.Length);
    }

    private static DecoderFixture Open(string name) => DecoderFixture.Open(name.StartsWith("tiny/", StringComparison.Ordinal)
        ? Path.Combine(AppContext.BaseDirectory, "Assets", "tiny-decoder", name["tiny/".Length..])
        : SharedData.Path("decoder-parity", name));
}
