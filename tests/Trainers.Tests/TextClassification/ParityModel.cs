using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>The reference checkpoint with a stand-in tokenizer, its batch, and its starting values.</summary>
internal static class ParityModel
{
    public static PretrainedModel Open(string folder)
    {
        using var place = new TemporaryFolder();
        foreach (var file in new[] { "config.json", "model.safetensors" }) File.Copy(Path.Combine(folder, file), place.File(file));
        TinyModel.WriteTokenizer(place.FullName);
        return PretrainedModel.FromFolder(place.Keep());
    }

    public static EncodedRows Rows(JsonElement expected)
    {
        var ids = Matrix(expected, "input_ids");
        var masks = Matrix(expected, "attention_mask");
        return new EncodedRows(
            [.. ids.Select((row, r) => new EncodedText([.. row.Where((_, t) => masks[r][t] == 1)], null, WasTruncated: false))],
            [.. expected.GetProperty("labels").EnumerateArray().Select(label => label.GetInt32())]);
    }

    public static void Set(nn.Module network, Checkpoint initial)
    {
        using var _ = no_grad();
        var parameters = network.named_parameters().ToDictionary(parameter => parameter.name, parameter => parameter.parameter);
        foreach (var key in initial.Entries.Keys)
        {
            using var value = initial.Read(key);
            var name = key.StartsWith("base_model.model.", StringComparison.Ordinal) ? key["base_model.model.".Length..] : key;
            if (parameters.TryGetValue(name, out var parameter)) parameter.copy_(value);
        }
    }

    private static int[][] Matrix(JsonElement expected, string name) =>
        [.. expected.GetProperty(name).EnumerateArray().Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
}
