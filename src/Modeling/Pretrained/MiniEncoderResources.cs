using System.Reflection;

namespace MLNetLoRA.Modeling;

/// <summary>Reads the embedded base model out of this assembly.</summary>
internal static class MiniEncoderResources
{
    public const string Name = "mini-encoder";
    private const string Prefix = Name + "/";
    private static readonly string[] TokenizerFiles = ["vocab.json", "merges.txt", "tokenizer_config.json"];

    public static PretrainedModel Open()
    {
        var config = Config();
        return new PretrainedModel(Name, config, Tokenizer(), Card(), () => new CheckpointWeights(Weights(), config));
    }

    public static EncoderConfig Config() => EncoderConfig.Parse(Bytes("config.json"), Prefix + "config.json");

    public static TextTokenizer Tokenizer() =>
        TextTokenizer.FromFiles([.. TokenizerFiles.Select(name => new TokenizerFile(name, Bytes(name)))], Name);

    public static ModelCard Card() => ModelCard.Parse(Bytes("fine_tuning.json"), Prefix + "fine_tuning.json");

    public static Checkpoint Weights() => Checkpoint.Open(Stream(Checkpoint.FileName), Prefix + Checkpoint.FileName);

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
