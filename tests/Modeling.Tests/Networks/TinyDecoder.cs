using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>A checkpoint folder of a tiny decoder with weights drawn from a seed: pretrained in form, not in content.</summary>
internal static class TinyDecoder
{
    /// <summary>Writes config.json, weights, and the tokenizer of Assets/byte-pairs.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="family">llama, mistral or qwen2.</param>
    /// <param name="change">Changes the configuration, with which the weights are drawn.</param>
    public static string Write(string folder, string family = "llama", Func<DecoderConfig, DecoderConfig>? change = null)
    {
        var tokenizer = Path.Combine(AppContext.BaseDirectory, "Assets", "byte-pairs", family == "qwen2" ? "qwen2" : "llama3");
        foreach (var file in Directory.GetFiles(tokenizer)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        var config = Config(family);
        if (change is not null) config = change(config);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJson());
        using var network = Draw(config, new PlainProjections());
        SafetensorsWriter.Write(
            Path.Combine(folder, Checkpoint.FileName),
            [.. network.named_parameters().Select(parameter => KeyValuePair.Create(parameter.name, (Tensor)parameter.parameter))]);
        return folder;
    }

    public static DecoderConfig Config(string family = "llama") => new()
    {
        Family = DecoderLayout.All.Single(layout => layout.ModelType == family).Family,
        VocabularySize = 1161,
        HiddenSize = 32,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        IntermediateSize = 48,
        MaxPositions = 96,
        InitializerRange = 0.3,         // wide, so that the most probable token is clearly so
        SlidingWindow = family == "mistral" ? 5 : null,
    };

    public static CausalLanguageModel Draw(
        DecoderConfig config, IProjectionFactory projections, Func<string, bool>? isTrainable = null, IReadOnlyDictionary<string, Tensor>? weights = null)
    {
        using var generator = new Generator(1, CPU);
        var source = new ParameterSource(weights ?? new Dictionary<string, Tensor>(), CPU, isTrainable ?? (_ => false), generator);
        return new CausalLanguageModel(new DecoderContext(config, projections, null), source);
    }
}
