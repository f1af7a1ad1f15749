using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Testing;

/// <summary>A checkpoint folder of the tiny model with weights drawn from a seed: pretrained in form, not in content.</summary>
internal static class TinyCheckpoint
{
    /// <summary>Wider than usual, so that the frozen layers carry a token's identity to the first position.</summary>
    private const double InitializerRange = 0.15;

    /// <summary>Writes config.json, tokenizer and weights, language-model head included.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="seed">Of the weights.</param>
    /// <param name="dataType">What the weights are stored as; float32 by default.</param>
    /// <param name="change">Changes the configuration, with which the weights are drawn.</param>
    /// <param name="labels">The classes of a classification head; null for none.</param>
    public static string Write(
        string folder, ulong seed = 1, ScalarType dataType = ScalarType.Float32, Func<EncoderConfig, EncoderConfig>? change = null,
        IReadOnlyList<string>? labels = null)
    {
        TinyModel.WriteTokenizer(folder);
        var config = EncoderConfig.FromFile(TinyModel.WriteConfig(folder)) with { InitializerRange = InitializerRange };
        if (change is not null) config = change(config);
        using var generator = new Generator(seed, CPU);
        var source = new ParameterSource(new Dictionary<string, Tensor>(), CPU, _ => false, generator);
        using var network = new MaskedLanguageModel(new NetworkContext(config, new PlainProjections(), null), source);
        var weights = network.named_parameters().ToDictionary(parameter => parameter.name, parameter => (Tensor)parameter.parameter);
        var tokenizer = TextTokenizer.FromFolder(folder);
        if (labels is null)
        {
            CheckpointFolder.Write(folder, config, tokenizer, weights, dataType, config.MaskedLanguageModelArchitecture);
            return folder;
        }

        using var classifier = new SequenceClassifier(new NetworkContext(config, new PlainProjections(), null), source, labels.Count);
        foreach (var (name, parameter) in classifier.named_parameters()) weights.TryAdd(name, parameter);
        CheckpointFolder.Write(
            folder, config with { LabelNames = labels }, tokenizer, weights, dataType,
            config.MaskedLanguageModelArchitecture.Replace("ForMaskedLM", "ForSequenceClassification", StringComparison.Ordinal));
        return folder;
    }

    /// <summary>Changes the tiny model into one of another family, with the same tokenizer.</summary>
    public static Func<EncoderConfig, EncoderConfig> Family(ModelFamily family) => config => config with
    {
        Family = family,
        PadTokenId = 1,
        TypeVocabularySize = family is ModelFamily.Bert or ModelFamily.Electra ? 2 : 1,
        EmbeddingSize = family is ModelFamily.Electra ? 24 : config.HiddenSize,
    };
}
