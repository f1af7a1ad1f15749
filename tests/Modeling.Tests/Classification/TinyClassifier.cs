using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Classification;

/// <summary>Classifiers over a tiny checkpoint, with all that training makes drawn from a seed: adapters that change something.</summary>
internal static class TinyClassifier
{
    public const string Query = "roberta.encoder.layer.0.attention.self.query";
    public const string Output = "roberta.encoder.layer.1.output.dense";

    public static LoraOptions Lora { get; } = new() { Rank = 2, Alpha = 3 };

    public static TextClassifier Create(PretrainedModel model, LoraOptions? lora, ulong seed = 3)
    {
        using var _ = no_grad();
        using var generator = new Generator(seed, CPU);
        var description = new ClassifierDescription(model, lora, 3, 32);
        Dictionary<string, Tensor> tuned;
        using (var share = SharedWeights.Acquire(model, CPU))
        {
            var source = new ParameterSource(share.Tensors, CPU, _ => false, generator);
            using var network = new SequenceClassifier(new NetworkContext(model.Config, description.Projections, null), source, 3);
            tuned = network.named_parameters()
                .Select(parameter => (Key: LoraProjections.CheckpointKey(parameter.name), parameter.parameter))
                .Where(parameter => lora is null || source.Initialized.Contains(parameter.Key))
                .ToDictionary(parameter => parameter.Key, parameter => parameter.parameter.detach().clone());
        }
        foreach (var key in tuned.Keys.Order(StringComparer.Ordinal))
        {
            using var change = randn(tuned[key].shape, dtype: float32, device: CPU, generator: generator);
            tuned[key].add_(change, alpha: 0.1f);
        }
        return new TextClassifier(description, tuned, CPU);
    }

    public static LoraFactors Correction(int outputs, int inputs, int rank, ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        return new LoraFactors(
            randn([rank, inputs], dtype: float32, device: CPU, generator: generator), randn([outputs, rank], dtype: float32, device: CPU, generator: generator), 0.25);
    }

    public static void Free(IReadOnlyDictionary<string, LoraFactors> corrections)
    {
        foreach (var factors in corrections.Values) factors.Dispose();
    }
}
