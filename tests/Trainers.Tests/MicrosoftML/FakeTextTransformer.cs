using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetLoRA.Trainers.Tests;

[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]
[assembly: LoadableClass(typeof(FakeTextTransformer), null, typeof(SignatureLoadModel), "Fake text transformer", FakeTextTransformer.LoaderSignature)]

namespace MLNetLoRA.Trainers.Tests;

/// <summary>A whole transformer in thirty lines: the pieces of the floor, a fake model, and entries in the zip.</summary>
internal sealed class FakeTextTransformer : ITransformer, ITextScorerSource, IDisposable
{
    internal const string LoaderSignature = "MLNetLoRATestsFake";

    private static readonly ModelFormat Format = new("LORAFAKE", LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    private readonly TransformerResource<FakeScorer> _model;

    internal FakeTextTransformer(IHostEnvironment env, TextColumns columns, LabelValues labels, FakeScorer scorer, byte[] weights, int batchSize = 4)
    {
        Scorer = scorer;
        _model = new TransformerResource<FakeScorer>(nameof(FakeTextTransformer), "model", scorer);
        Weights = weights;
        Scoring = new TextScoring(env.Register(nameof(FakeTextTransformer)), columns, labels, this, batchSize);
    }

    public FakeScorer Scorer { get; }

    public byte[] Weights { get; }

    public TextScoring Scoring { get; }

    public bool IsRowToRowMapper => true;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Scoring.GetOutputSchema(inputSchema);

    public IDataView Transform(IDataView input) => Scoring.Transform(input);

    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => Scoring.GetRowToRowMapper(inputSchema);

    /// <summary>Once disposed, nothing new begins; what has begun goes on.</summary>
    public ScorerLease Acquire() => Scorer.Track(_model.Acquire());

    public void Dispose() => _model.Dispose();

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        Format.Write<FakeTextTransformer>(ctx);
        ModelEntries.SaveJson(ctx, "columns.json", Scoring.Columns, FakeJson.Default.TextColumns);
        ModelEntries.Save(ctx, "labels.bin", Scoring.Labels.Save);
        ModelEntries.Save(ctx, "weights.safetensors", stream => stream.Write(Weights));
    }

    private static FakeTextTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<FakeTextTransformer>(ctx);
        var columns = ModelEntries.LoadJson(ctx, "columns.json", FakeJson.Default.TextColumns);
        var labels = ModelEntries.Load(ctx, "labels.bin", LabelValues.Load);
        var weights = ModelEntries.Load(ctx, "weights.safetensors", stream =>
        {
            Assert.True(stream.CanSeek);
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        });
        return new FakeTextTransformer(env, columns, labels, new FakeScorer(labels.Count), weights);
    }
}

[JsonSerializable(typeof(TextColumns))]
internal sealed partial class FakeJson : JsonSerializerContext;
