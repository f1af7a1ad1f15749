namespace MLNetLoRA.Modeling;

/// <summary>Whether what fine-tuning left belongs to a base: shapes, the settings that shapes do not show, and the tokenizer.</summary>
internal static class SameModel
{
    /// <summary>Shapes by key of the encoder alone.</summary>
    public static Dictionary<string, long[]> EncoderShapes(EncoderConfig config) => NetworkShapes.OfMaskedLanguageModel(config)
        .Where(pair => !MaskedLanguageModel.IsHeadKey(pair.Key, config)).ToDictionary();

    /// <summary>Refuses a tuned checkpoint of another model; of a lone .safetensors file only the shapes are known.</summary>
    /// <exception cref="InvalidDataException">It does not belong to the base; all faults together.</exception>
    public static void Check(PretrainedModel model, string path, IReadOnlyDictionary<string, StoredTensor> stored)
    {
        var faults = NetworkShapes.Complaints(EncoderShapes(model.Config), stored, NetworkShapes.LayersOf(model.Config), mayMiss: _ => false)
            .Select(fault => fault.Replace("config.json says", "the base has", StringComparison.Ordinal)).ToList();
        if (Directory.Exists(path)) faults.AddRange(FolderFaults(model, path));
        if (faults.Count > 0)
            throw new InvalidDataException($"{path}: this is not '{model.Name}' after fine-tuning: {MessageText.Some(faults)}. Give the base that it was fine-tuned from.");
    }

    /// <summary>Refuses an adapter of another model.</summary>
    /// <exception cref="InvalidDataException">It does not belong to the base; all faults together.</exception>
    public static void Check(PretrainedModel model, string path, LoraAdapter adapter)
    {
        var classes = adapter.FullyTrained.GetValueOrDefault(model.Config.Layout.Classification.ClassesWeight) is { shape: [> 0 and <= int.MaxValue and var count, _] } ? (int)count : 2;
        var known = NetworkShapes.OfMaskedLanguageModel(model.Config).Concat(NetworkShapes.OfClassificationHead(model.Config, classes)).ToDictionary();
        if (adapter.Complaints(known) is { Count: > 0 } faults)
            throw new InvalidDataException($"{path}: the adapter was made for another base than '{model.Name}': {MessageText.Some(faults)}.");
    }

    private static IEnumerable<string> FolderFaults(PretrainedModel model, string folder)
    {
        var configPath = Path.Combine(folder, "config.json");
        if (File.Exists(configPath))
        {
            var (own, other) = (model.Config, EncoderConfig.FromFile(configPath));
            if (own.Family != other.Family) yield return $"its model_type is {other.ModelType}, the base's {own.ModelType}";
            if (own.HeadCount != other.HeadCount) yield return $"it has {other.HeadCount} attention heads, the base {own.HeadCount}";
            if (own.HiddenActivation != other.HiddenActivation) yield return $"its activation is {other.HiddenActivation}, the base's {own.HiddenActivation}";
        }
        // A checkpoint that was saved without its tokenizer is read with the base's.
        if (!TokenizerFileSet.HasVocabulary(folder)) yield break;
        if (model.Tokenizer.DifferenceTo(TextTokenizer.FromFolder(folder)) is { } difference) yield return $"the tokenizers differ: {difference} (base first)";
    }
}
