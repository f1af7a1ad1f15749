using System.Reflection;

namespace MLNetLoRA.Modeling;

/// <summary>Reads the embedded base model out of this assembly.</summary>
internal static class MiniEncoderResources
{
    private const string Prefix = "mini-encoder/";
    private static readonly string[] TokenizerFiles = ["vocab.json", "merges.txt", "tokenizer_config.json"];

    public static PretrainedModel Open()
    {
        var config = EncoderConfig.Parse(Bytes("config.json"), Prefix + "config.json");
        return new PretrainedModel(
            "mini-encoder",
            config,
            TextTokenizer.FromFiles([.. TokenizerFiles.Select(name => new TokenizerFile(name, Bytes(name)))], "mini-encoder"),
            ModelCard.Parse(Bytes("fine_tuning.json"), Prefix + "fine_tuning.json"),
            () => new CheckpointWeights(Checkpoint.Open(Stream("model.safetensors"), Prefix + "model.safetensors"), config));
    }

    private static byte[] Bytes(string name)
    {
        using var stream = Stream(name);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static Stream Stream(string name) =>
        Assembly.GetExecutingAssembly().GetManifestResourceStream(Prefix + name)
        ?? throw new InvalidDataException($"{Prefix}{name} is not in this build of MLNetLoRA.Modeling.");
}
