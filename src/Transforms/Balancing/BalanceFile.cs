using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>How a balanced repair lies in a model file: balance.json, and its corrections where anything changes.</summary>
internal static class BalanceFile
{
    private const string HeaderEntry = "balance.json";

    private static readonly ModelFormat Format = new(
        "LORABALC", BalanceRetentionTransformer.LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    public static void Save(ModelSaveContext ctx, BalanceOutcome outcome, ModelCorrections corrections)
    {
        Format.Write<BalanceRetentionTransformer>(ctx);
        ModelEntries.SaveJson(ctx, HeaderEntry, BalanceHeader.Of(outcome, corrections), BalanceJson.Default.BalanceHeader);
        CorrectionsEntry.Save(ctx, corrections);
    }

    public static BalanceRetentionTransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<BalanceRetentionTransformer>(ctx);
        var header = ModelEntries.LoadJson(ctx, HeaderEntry, BalanceJson.Default.BalanceHeader);
        header.Check();
        var corrections = CorrectionsEntry.Load(ctx, header.Corrected, header.Form, header.ModelFingerprint, HeaderEntry);
        return new BalanceRetentionTransformer(env, header.Outcome, corrections);
    }
}
