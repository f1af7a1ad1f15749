using MLNetLoRA.Modeling.Tests.Classification;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Changes;

/// <summary>Writing; what is read is tested with <see cref="TextClassifier.OpenChanges"/>.</summary>
public sealed class ClassifierChangesTests : IDisposable
{
    private readonly TemporaryFolder _base = new();
    private readonly TemporaryFolder _folder = new();
    private readonly PretrainedModel _model;

    public ClassifierChangesTests() => _model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_base.FullName));

    public void Dispose()
    {
        _base.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void WriteAdapter_OtherFactorsForOneMatrix_KeepsTheOthersToTheBit()
    {
        using var classifier = TinyClassifier.Create(_model, TinyClassifier.Lora);
        using var changes = classifier.OpenChanges();
        using var other = TinyClassifier.Correction(32, 32, rank: 5, seed: 1);

        changes.WriteAdapter(_folder.File("out"), new Dictionary<string, LoraFactors> { [TinyClassifier.Query] = other });

        using var written = PeftFolder.Read(_folder.File("out"), _model.Config, CPU);
        using var own = classifier.ToAdapter();
        Assert.Equal(own.Factors.Keys.Order(StringComparer.Ordinal), written.Factors.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, factors) in written.Factors)
        {
            var expected = name == TinyClassifier.Query ? other : own.Factors[name];
            Assert.Equal(expected.A.data<float>().ToArray(), factors.A.data<float>().ToArray());
            Assert.Equal(expected.B.data<float>().ToArray(), factors.B.data<float>().ToArray());
            Assert.Equal(expected.Scale, factors.Scale, 1e-12);
        }
        Assert.Equal(own.FullyTrained.Keys.Order(StringComparer.Ordinal), written.FullyTrained.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void WriteCheckpoint_OneMatrixReplacedAndOneCorrected_WritesBothAndTheRestAsTuned()
    {
        using var scope = NewDisposeScope();
        using var classifier = TinyClassifier.Create(_model, lora: null);
        using var correction = TinyClassifier.Correction(32, 64, rank: 2, seed: 2);
        using var corrected = classifier.WithCorrections(new Dictionary<string, LoraFactors> { [TinyClassifier.Output] = correction });
        using var changes = corrected.OpenChanges(classNames: ["ant", "bee", "cat"]);

        changes.WriteCheckpoint(_folder.File("out"), name => name == TinyClassifier.Query ? full([32, 32], 0.5f, device: CPU).DetachFromDisposeScope() : null);

        using var written = Checkpoint.Open(_folder.File("out"));
        Assert.Equal(classifier.Tuned.Keys.Order(StringComparer.Ordinal), written.Entries.Keys.Order(StringComparer.Ordinal));
        foreach (var (key, tuned) in classifier.Tuned)
        {
            var expected = tuned.to(float64);
            if (key == $"{TinyClassifier.Query}.weight") expected = full([32, 32], 0.5, dtype: float64, device: CPU);
            if (key == $"{TinyClassifier.Output}.weight") expected = expected + (correction.B.to(float64).matmul(correction.A.to(float64)) * correction.Scale);
            Assert.Equal(0, (expected - written.Read(key, float64)).abs().max().item<double>(), key == $"{TinyClassifier.Output}.weight" ? 1e-6 : 0);
        }
        var config = EncoderConfig.FromFile(Path.Combine(_folder.File("out"), "config.json"));
        Assert.Equal(["ant", "bee", "cat"], config.LabelNames!);
    }

    [Fact]
    public void WriteCheckpoint_ThenOpened_ScoresAsTheClassifier()
    {
        using var scope = NewDisposeScope();
        using var classifier = TinyClassifier.Create(_model, lora: null);
        using var changes = classifier.OpenChanges();
        EncodedText[] rows = [_model.Tokenizer.Encode("a fine film", null, 32)];

        changes.WriteCheckpoint(_folder.File("out"), _ => null);

        using var network = CheckpointNetwork.Open(_folder.File("out"), CPU);
        using var batch = TokenBatch.Create(rows, _model.Config, CPU);
        var logits = network.Forward(batch).Logits.data<float>().ToArray();
        foreach (var (expected, actual) in classifier.Score(rows).Zip(logits)) Assert.Equal(expected, actual, 1e-5f);
        Assert.Equal(3, logits.Length);
        Assert.Equal(["LABEL_0", "LABEL_1", "LABEL_2"], EncoderConfig.FromFile(Path.Combine(_folder.File("out"), "config.json")).LabelNames!);
    }

    [Fact]
    public void Write_WhatDoesNotFit_IsRefusedAndNothingWritten()
    {
        using var scope = NewDisposeScope();
        using var adapted = TinyClassifier.Create(_model, TinyClassifier.Lora);
        using var tuned = TinyClassifier.Create(_model, lora: null);
        using var ofAdapter = adapted.OpenChanges();
        using var ofTuned = tuned.OpenChanges();
        using var one = TinyClassifier.Correction(32, 32, rank: 1, seed: 1);
        var output = _folder.File("out");

        Assert.Throws<InvalidOperationException>(() => ofAdapter.WriteCheckpoint(output, _ => null));
        Assert.Throws<InvalidOperationException>(() => ofTuned.WriteAdapter(output, new Dictionary<string, LoraFactors>()));
        var stranger = Assert.Throws<ArgumentException>(() => ofAdapter.WriteAdapter(output, new Dictionary<string, LoraFactors> { ["pooler"] = one }));
        var misshapen = Assert.Throws<ArgumentException>(() => ofTuned.WriteCheckpoint(output, _ => ones(3, 3, device: CPU).DetachFromDisposeScope()));
        var names = Assert.Throws<ArgumentException>(() => tuned.OpenChanges(classNames: ["one"]));

        Assert.Contains("The adapter changes no 'pooler'", stranger.Message, StringComparison.Ordinal);
        Assert.Contains("its replacement is (3, 3)", misshapen.Message, StringComparison.Ordinal);
        Assert.Contains("1 names are given for 3 classes", names.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }
}
