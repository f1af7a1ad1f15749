using MLNetLoRA.Modeling.Tests.Networks;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Moments;

[Collection(ProcessWide.Name)]
public sealed class EncoderMomentsTests : IDisposable
{
    private const string Layer = "roberta.encoder.layer.";

    private readonly IDisposable _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;
    private readonly EncodedText[] _rows;

    public EncoderMomentsTests()
    {
        _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));
        _rows = [.. new[] { "a", "something longer", "and more", "b", "the longest of all of these" }.Select(text => _model.Tokenizer.Encode(text, null, 32))];
    }

    public void Dispose()
    {
        _folder.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Collect_PaddedBatch_IsTheMeanOverTheTokensOfAPlainDoublePrecisionEncoder(int layer)
    {
        using var moments = EncoderMoments.Collect(_model, _rows, batchSize: 8, CPU);

        var vectors = _rows.SelectMany(row => Hidden(row, layer)).ToList();
        var found = moments.Of($"{Layer}{layer}.attention.self.query").data<double>().ToArray();
        for (var i = 0; i < 32; i++)
            for (var j = 0; j < 32; j++)
                Assert.Equal(vectors.Average(x => x[i] * x[j]), found[(i * 32) + j], 1e-5);
        Assert.Equal(vectors.Count, moments.TokenCount);
    }

    [Fact]
    public void Collect_AnyBatchSize_GivesTheSameMoments()
    {
        using var alone = EncoderMoments.Collect(_model, _rows, batchSize: 1, CPU);
        using var together = EncoderMoments.Collect(_model, _rows, batchSize: 8, CPU);

        Assert.Equal(SequenceClassifier.Matrices(_model.Config).Select(matrix => matrix.Key), alone.Names);
        foreach (var name in alone.Names)
        {
            var expected = alone.Of(name);
            Assert.True(expected.diagonal().sum().item<double>() > 0, name);
            Assert.Equal(0, (expected - together.Of(name)).abs().max().item<double>(), 1e-5);
        }
    }

    [Fact]
    public void Collect_QueryKeyAndValue_ShareOneMoment()
    {
        using var moments = EncoderMoments.Collect(_model, _rows, batchSize: 8, CPU);

        Assert.Equal((12, 8), (moments.Names.Count, moments.DistinctCount));
        Assert.Equal(
            moments.Of($"{Layer}1.attention.self.query").data<double>().ToArray(), moments.Of($"{Layer}1.attention.self.value").data<double>().ToArray());
        Assert.Equal([64L, 64L], moments.Of($"{Layer}1.output.dense").shape);
    }

    [Fact]
    public void Of_AMapThatWasNotRun_NamesTheOthers()
    {
        using var moments = EncoderMoments.Collect(_model, _rows, batchSize: 8, CPU);
        Assert.Contains("No inputs of 'roberta.pooler' were seen; there are 12 maps", Assert.Throws<ArgumentException>(() => moments.Of("roberta.pooler")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Collect_NoRows_IsRefused() =>
        Assert.Contains("There are no rows", Assert.Throws<ArgumentException>(() => EncoderMoments.Collect(_model, [], 8, CPU)).Message, StringComparison.Ordinal);

    [Fact]
    public void Collect_Cancelled_LeavesNothing()
    {
        EncoderMoments.Collect(_model, _rows, 8, CPU).Dispose();
        // Each Parameter ever made stays in TorchSharp's count: those of the encoder.
        using var share = SharedWeights.Acquire(_model, CPU);
        var before = LiveTensors.Settled();
        var batches = 0;

        Assert.Throws<OperationCanceledException>(() => EncoderMoments.Collect(_model, _rows, 2, CPU, () =>
        {
            if (++batches == 3) throw new OperationCanceledException();
        }));

        Assert.Equal(before + ParameterCount(), LiveTensors.Now);
    }

    [Fact]
    public void Collect_ThenDispose_LeavesNothing()
    {
        using var share = SharedWeights.Acquire(_model, CPU);
        var before = LiveTensors.Settled();

        EncoderMoments.Collect(_model, _rows, 2, CPU).Dispose();

        Assert.Equal(before + ParameterCount(), LiveTensors.Now);
    }

    /// <summary>Tensors on the meta device hold nothing: had one been made on the default device, its numbers would be missed.</summary>
    [Fact]
    public void Collect_AnotherDefaultDevice_StaysOnTheOneGiven()
    {
        set_default_device(META);
        try
        {
            using var moments = EncoderMoments.Collect(_model, _rows, 2, CPU);
            Assert.True(moments.Of($"{Layer}1.output.dense").sum().item<double>() != 0);
        }
        finally
        {
            set_default_device(CPU);
        }
    }

    private int ParameterCount()
    {
        using var share = SharedWeights.Acquire(_model, CPU);
        return share.Tensors.Keys.Count(key => key.StartsWith("roberta.", StringComparison.Ordinal) && !key.Contains("pooler", StringComparison.Ordinal));
    }

    // What a layer is given, one row at a time.
    private double[][] Hidden(EncodedText row, int layer)
    {
        using var share = SharedWeights.Acquire(_model, CPU);
        var weights = share.Tensors.ToDictionary(pair => pair.Key, pair => pair.Value.to(float64).data<double>().ToArray());
        var keys = new ReferenceKeys("roberta", "roberta.encoder.layer.{0}", ReferenceKeys.Bert, HasTypes: true);
        var encoder = new ReferenceEncoder(weights, keys, layer, _model.Config.HeadCount, _model.Config.LayerNormEpsilon);
        return encoder.Run(row.Ids, new int[row.Ids.Length], firstPosition: 2);
    }
}
