using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms;

/// <summary>How corrections lie in a model file: corrections.safetensors, where there are any.</summary>
/// <remarks>Factors are float32, shifts bfloat16; the model's weights are in the model's own entries.</remarks>
internal static class CorrectionsEntry
{
    private const string Name = "corrections.safetensors";
    private const string DownSuffix = ".A";
    private const string UpSuffix = ".B";
    private const string ShiftSuffix = ".shift";

    public static void Save(ModelSaveContext ctx, ModelCorrections corrections)
    {
        if (corrections.IsEmpty) return;
        KeyValuePair<string, Tensor>[] tensors =
        [
            .. corrections.Factors.SelectMany(pair => new[]
            {
                KeyValuePair.Create(pair.Key + DownSuffix, pair.Value.A), KeyValuePair.Create(pair.Key + UpSuffix, pair.Value.B),
            }),
            .. corrections.Downs.Select(pair => KeyValuePair.Create(pair.Key + DownSuffix, pair.Value)),
            .. corrections.Shifts.Select(pair => KeyValuePair.Create(pair.Key + ShiftSuffix, pair.Value)),
        ];
        ModelEntries.Save(ctx, Name, stream => SafetensorsWriter.Write(stream, tensors));
    }

    /// <summary>Reads them, on the CPU: they go where the model is when they are put to it, and are held against its shapes then.</summary>
    /// <param name="ctx">The component's.</param>
    /// <param name="names">The matrices that have one, as the header says.</param>
    /// <param name="form">Their form.</param>
    /// <param name="modelFingerprint">Of the model that they were made for.</param>
    /// <param name="header">The header's entry, for messages.</param>
    /// <exception cref="InvalidDataException">The entry is missing or damaged, or holds other tensors than the header says.</exception>
    public static ModelCorrections Load(ModelLoadContext ctx, IReadOnlyList<string> names, CorrectionForm form, string modelFingerprint, string header) =>
        names.Count == 0
            ? new ModelCorrections(modelFingerprint)
            : ModelEntries.Load(ctx, Name, stream => Read(stream, names, form, modelFingerprint, header));

    private static ModelCorrections Read(Stream stream, IReadOnlyList<string> names, CorrectionForm form, string modelFingerprint, string header)
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.Open(stream, Name, leaveOpen: true);
        string[] suffixes = form switch
        {
            CorrectionForm.Beside => [DownSuffix, UpSuffix],
            CorrectionForm.Down => [DownSuffix],
            _ => [ShiftSuffix],
        };
        var wanted = names.SelectMany(name => suffixes.Select(suffix => name + suffix)).ToHashSet();
        if (!wanted.SetEquals(file.Entries.Keys))
            throw new InvalidDataException(
                $"The model file's {Name} has {file.Entries.Count} tensors that are not the {wanted.Count} that {header} names. The file was changed after it was saved.");
        var type = form == CorrectionForm.Shift ? ScalarType.BFloat16 : ScalarType.Float32;
        var tensors = wanted.ToDictionary(key => key, key => file.ReadFinite(key, type, CPU));
        foreach (var tensor in tensors.Values) tensor.DetachFromDisposeScope();
        return form switch
        {
            CorrectionForm.Beside => new ModelCorrections(modelFingerprint)
            {
                Factors = names.ToDictionary(name => name, name => new LoraFactors(tensors[name + DownSuffix], tensors[name + UpSuffix], 1)),
            },
            CorrectionForm.Down => new ModelCorrections(modelFingerprint) { Downs = names.ToDictionary(name => name, name => tensors[name + DownSuffix]) },
            _ => new ModelCorrections(modelFingerprint) { Shifts = names.ToDictionary(name => name, name => tensors[name + ShiftSuffix]) },
        };
    }
}
