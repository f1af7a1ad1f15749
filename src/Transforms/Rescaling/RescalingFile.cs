using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>How a rescaling lies in a model file: rescaling.json, and corrections.safetensors where anything changes.</summary>
/// <remarks>Its tensors are its own factors, NAME.A (rank, in) and NAME.B (out, rank) in float32; the model's weights are in the model's own entries.</remarks>
internal static class RescalingFile
{
    private const string HeaderEntry = "rescaling.json";
    private const string CorrectionsEntry = "corrections.safetensors";
    private const string DownSuffix = ".A";
    private const string UpSuffix = ".B";

    private static readonly ModelFormat Format = new(
        "LORARESC", IntruderRescalingTransformer.LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    public static void Save(ModelSaveContext ctx, RescalingOutcome outcome, ModelCorrections corrections)
    {
        Format.Write<IntruderRescalingTransformer>(ctx);
        ModelEntries.SaveJson(ctx, HeaderEntry, RescalingHeader.Of(outcome, corrections), RescalingJson.Default.RescalingHeader);
        if (corrections.Factors.Count == 0) return;
        // The scale of a correction is 1.
        var tensors = corrections.Factors.SelectMany(pair => new[]
        {
            KeyValuePair.Create(pair.Key + DownSuffix, pair.Value.A), KeyValuePair.Create(pair.Key + UpSuffix, pair.Value.B),
        });
        ModelEntries.Save(ctx, CorrectionsEntry, stream => SafetensorsWriter.Write(stream, [.. tensors]));
    }

    public static IntruderRescalingTransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<IntruderRescalingTransformer>(ctx);
        var header = ModelEntries.LoadJson(ctx, HeaderEntry, RescalingJson.Default.RescalingHeader);
        header.Check();
        var factors = header.Corrected.Count == 0 ? [] : ModelEntries.Load(ctx, CorrectionsEntry, stream => Read(stream, header.Corrected));
        return new IntruderRescalingTransformer(env, header.Outcome, new ModelCorrections(factors, header.ModelFingerprint));
    }

    // On the CPU: they go where the model is when they are put beside it, and are held against its shapes then.
    private static Dictionary<string, LoraFactors> Read(Stream stream, IReadOnlyList<string> names)
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.Open(stream, CorrectionsEntry, leaveOpen: true);
        var wanted = names.SelectMany(name => new[] { name + DownSuffix, name + UpSuffix }).ToHashSet();
        if (!wanted.SetEquals(file.Entries.Keys))
            throw new InvalidDataException(
                $"The model file's {CorrectionsEntry} has {file.Entries.Count} tensors that are not the {wanted.Count} that rescaling.json names. "
                + "The file was changed after it was saved.");
        var factors = names.ToDictionary(name => name, name => new LoraFactors(
            file.ReadFinite(name + DownSuffix, ScalarType.Float32, CPU), file.ReadFinite(name + UpSuffix, ScalarType.Float32, CPU), 1));
        foreach (var pair in factors.Values)
        {
            pair.A.DetachFromDisposeScope();
            pair.B.DetachFromDisposeScope();
        }
        return factors;
    }
}
