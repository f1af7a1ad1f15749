using System.Text;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>A pretrained model's configuration and tokenizer inside a model file: config.json and tokenizer.NAME.</summary>
internal static class PretrainedEntries
{
    private const string ConfigEntry = "config.json";
    private const string TokenizerPrefix = "tokenizer.";
    private const int MaxTextFileBytes = 100 << 20;

    public static void Save(ModelSaveContext ctx, PretrainedModel model)
    {
        ModelEntries.Save(ctx, ConfigEntry, stream => stream.Write(Encoding.UTF8.GetBytes(model.Config.ToJson())));
        foreach (var file in model.Tokenizer.Files)
            ModelEntries.Save(ctx, TokenizerPrefix + file.Name, stream => stream.Write(file.Content.Span));
    }

    /// <exception cref="InvalidDataException">There is none, or it is not valid.</exception>
    public static EncoderConfig LoadConfig(ModelLoadContext ctx) => EncoderConfig.Parse(LoadBytes(ctx, ConfigEntry), ConfigEntry);

    /// <param name="ctx">The context handed to the component's loader.</param>
    /// <param name="names">The tokenizer's files.</param>
    /// <exception cref="InvalidDataException">A file is missing or not valid.</exception>
    public static TextTokenizer LoadTokenizer(ModelLoadContext ctx, IEnumerable<string> names) => TextTokenizer.FromFiles(
        [.. names.Select(name => new TokenizerFile(name, LoadBytes(ctx, TokenizerPrefix + name)))], "the model file");

    /// <summary>Where a loaded component computes, as the context says.</summary>
    public static Device ChooseDevice(IHostEnvironment env, string component)
    {
        var environment = (IHostEnvironmentInternal)env;
        using var channel = env.Register(component).Start("Load");
        return ComputeDevice.Choose(null, environment.GpuDeviceId, environment.FallbackToCpu, text => channel.Info(text));
    }

    private static byte[] LoadBytes(ModelLoadContext ctx, string entry) => ModelEntries.Load(ctx, entry, stream =>
    {
        if (stream.Length > MaxTextFileBytes)
            throw new InvalidDataException($"The model file's entry '{entry}' has {stream.Length:N0} bytes; at most {MaxTextFileBytes:N0} are read.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    });
}
