using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>How a rescaling lies in a model file: rescaling.json, and its corrections where anything changes.</summary>
internal static class RescalingFile
{
    private const string HeaderEntry = "rescaling.json";

    private static readonly ModelFormat Format = new(
        "LORARESC", IntruderRescalingTransformer.LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    public static void Save(ModelSaveContext ctx, RescalingOutcome outcome, ModelCorrections corrections)
    {
        Format.Write<IntruderRescalingTransformer>(ctx);
        ModelEntries.SaveJson(ctx, HeaderEntry, RescalingHeader.Of(outcome, corrections), RescalingJson.Default.RescalingHeader);
        CorrectionsEntry.Save(ctx, corrections);
    }

    public static IntruderRescalingTransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<IntruderRescalingTransformer>(ctx);
        var header = ModelEntries.LoadJson(ctx, HeaderEntry, RescalingJson.Default.RescalingHeader);
        header.Check();
        var corrections = CorrectionsEntry.Load(ctx, header.Corrected, CorrectionForm.Beside, header.ModelFingerprint, HeaderEntry);
        return new IntruderRescalingTransformer(env, header.Outcome, corrections);
    }
}
