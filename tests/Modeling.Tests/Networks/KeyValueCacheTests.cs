using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

public class KeyValueCacheTests
{
    [Fact]
    public void Read_MoreThanThereIsRoomFor_SaysSoAndChangesNothing()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var config = TinyDecoder.Config();
        using var network = TinyDecoder.Draw(config, new PlainProjections());
        network.eval();
        using var cache = new KeyValueCache(config, 1, 6, CPU, ScalarType.Float32);
        using var four = CausalBatch.FromTokens([5, 6, 7, 8], 0, CPU);
        using var three = CausalBatch.FromTokens([9, 10, 11], 4, CPU);
        using var two = CausalBatch.FromTokens([9, 10], 4, CPU);
        network.ForwardLast(four, cache);

        var error = Assert.Throws<InvalidOperationException>(() => network.ForwardLast(three, cache));
        Assert.Equal("The cache holds 4 of at most 6 tokens a row, and 3 more were to be read; make a larger cache, or read fewer tokens.", error.Message);

        using var whole = CausalBatch.FromTokens([5, 6, 7, 8, 9, 10], 0, CPU);
        var difference = network.ForwardLast(two, cache) - network.ForwardLast(whole, null);
        Assert.InRange(difference.abs().max().item<float>(), 0, 1e-4);
        Assert.Equal(6, cache.Length);
    }

    [Fact]
    public void Read_OtherRows_IsRefused()
    {
        var config = TinyDecoder.Config();
        using var network = TinyDecoder.Draw(config, new PlainProjections());
        using var cache = new KeyValueCache(config, 2, 6, CPU, ScalarType.Float32);
        using var one = CausalBatch.FromTokens([5], 0, CPU);

        Assert.Contains("holds 2 rows, the batch has 1", Assert.Throws<InvalidOperationException>(() => network.ForwardLast(one, cache)).Message, StringComparison.Ordinal);
    }
}
