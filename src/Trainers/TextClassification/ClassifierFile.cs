using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>How a text classifier lies in a model file.</summary>
/// <remarks>
/// Entries: classifier.json (columns, adapter, base), labels.bin, training.json, config.json, tokenizer.NAME, tuned.safetensors, and with
/// an embedded base base.safetensors.
/// </remarks>
internal static class ClassifierFile
{
    private const string HeaderEntry = "classifier.json";
    private const string LabelsEntry = "labels.bin";
    private const string ReportEntry = "training.json";
    private const string TunedEntry = "tuned.safetensors";
    private const string BaseEntry = "base.safetensors";

    private static readonly ModelFormat Format = new(
        "LORATEXT", TextClassificationTransformer.LoaderSignature, Version: 0x00010001, OldestReader: 0x00010001, OldestReadable: 0x00010001);

    public static void Save(
        ModelSaveContext ctx, TextClassifier classifier, TextColumns columns, LabelValues labels, ScoringSettings settings, TrainingReport report)
    {
        var model = classifier.Description.Base;
        CheckBaseUnchanged(model, settings.BaseStorage);        // first: what fails later leaves half a file
        Format.Write<TextClassificationTransformer>(ctx);
        ModelEntries.SaveJson(ctx, HeaderEntry, ClassifierHeader.Of(classifier.Description, columns, settings), ModelFileJson.Default.ClassifierHeader);
        ModelEntries.Save(ctx, LabelsEntry, labels.Save);
        ModelEntries.SaveJson(ctx, ReportEntry, report, ModelFileJson.Default.TrainingReport);
        PretrainedEntries.Save(ctx, model);
        ModelEntries.Save(ctx, TunedEntry, stream => SafetensorsWriter.Write(stream, [.. classifier.Tuned]));
        if (settings.BaseStorage is BaseStorage.Embedded) ModelEntries.Save(ctx, BaseEntry, model.WriteWeights);
    }

    // What was fine-tuned belongs to the base that was read then; with another, embedded or referred to, it would be a model that never was.
    private static void CheckBaseUnchanged(PretrainedModel model, BaseStorage storage)
    {
        if (storage is BaseStorage.TunedOnly || model.Folder is not { } folder) return;
        if (PretrainedModel.FromFolder(folder).ContentHash != model.ContentHash)
            throw new InvalidDataException(
                $"{folder}: the checkpoint has changed since it was first read. Put the old files back, or open the folder again and fit again.");
    }

    public static TextClassificationTransformer Load(IHostEnvironment env, ModelLoadContext ctx)
    {
        Format.Check<TextClassificationTransformer>(ctx);
        var header = ModelEntries.LoadJson(ctx, HeaderEntry, ModelFileJson.Default.ClassifierHeader);
        var labels = ModelEntries.Load(ctx, LabelsEntry, LabelValues.Load);
        var report = ModelEntries.LoadJson(ctx, ReportEntry, ModelFileJson.Default.TrainingReport);
        var config = PretrainedEntries.LoadConfig(ctx);
        header.Check(config, labels.Count);
        var device = PretrainedEntries.ChooseDevice(env, nameof(TextClassificationTransformer));

        var (model, embedded) = LoadBase(ctx, header, config);
        using var hold = embedded;                      // until the classifier holds the weights itself
        Dictionary<string, Tensor> tuned = [];
        try
        {
            tuned = ModelEntries.Load(ctx, TunedEntry, stream => ReadTuned(stream, device));
            var description = new ClassifierDescription(model, header.Lora?.Options, labels.Count, header.MaxTokens);
            var classifier = new TextClassifier(description, tuned, device);
            try
            {
                TunedKeys.Check(classifier);
                return new TextClassificationTransformer(
                    env, classifier, header.Columns, labels, new ScoringSettings(header.ScoreKind, header.BatchSize, header.Base.Storage), report);
            }
            catch
            {
                classifier.Dispose();
                throw;
            }
        }
        catch
        {
            foreach (var tensor in tuned.Values) tensor.Dispose();
            throw;
        }
    }

    private static (PretrainedModel Model, EmbeddedModel? Owned) LoadBase(ModelLoadContext ctx, ClassifierHeader header, EncoderConfig config)
    {
        var described = header.Base;
        if (described.Storage is BaseStorage.Reference) return (ReferredBase.Open(described), null);

        var tokenizer = PretrainedEntries.LoadTokenizer(ctx, described.TokenizerFiles);
        if (described.Storage is BaseStorage.TunedOnly)
            return (PretrainedModel.WithoutWeightsAtHand(described.Name, config, tokenizer, described.Card, described.ContentHash), null);

        var embedded = ModelEntries.Load(
            ctx, BaseEntry, stream => EmbeddedModel.Read(described.Name, config, tokenizer, described.Card, stream));
        if (embedded.Model.ContentHash == described.ContentHash) return (embedded.Model, embedded);
        embedded.Dispose();
        throw new InvalidDataException(
            $"The base in the model file, '{described.Name}', is not the one that the model was trained from: configuration, tokenizer or weights "
            + "have other content than classifier.json says. The file was changed after it was saved.");
    }

    private static Dictionary<string, Tensor> ReadTuned(Stream stream, Device device)
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.Open(stream, TunedEntry, leaveOpen: true);
        var tuned = file.Entries.Keys.ToDictionary(key => key, key => file.ReadFinite(key, ScalarType.Float32, device));
        foreach (var tensor in tuned.Values) tensor.DetachFromDisposeScope();
        return tuned;
    }
}
