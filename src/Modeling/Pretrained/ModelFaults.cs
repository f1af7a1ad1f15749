namespace MLNetLoRA.Modeling;

/// <summary>Where the parts of a pretrained model contradict each other: each fault as a sentence or two, with what to do.</summary>
internal static class ModelFaults
{
    /// <summary>What is wrong between configuration and tokenizer; empty when they belong together.</summary>
    public static IReadOnlyList<string> OfTokenizer(EncoderConfig config, TextTokenizer tokenizer)
    {
        const string Advice = "Use the tokenizer that the checkpoint was trained with.";
        if (!tokenizer.IsForEncoders)
            return [$"the tokenizer is a decoder's, with no tokens to open, separate and mask; config.json says {config.ModelType}. {Advice}"];
        var faults = new List<string>();
        if (tokenizer.VocabularySize > config.VocabularySize)
            faults.Add($"the tokenizer has {tokenizer.VocabularySize} entries, config.json says vocab_size {config.VocabularySize}. {Advice}");
        if (tokenizer.PadId != config.PadTokenId)
            faults.Add($"the tokenizer pads with id {tokenizer.PadId}, config.json says pad_token_id {config.PadTokenId}. {Advice}");
        if (tokenizer.UsesTokenTypes && config.Layout.HasTokenTypes && config.TypeVocabularySize < 2)
            faults.Add("the tokenizer gives the second text of a pair token type 1, "
                + $"config.json says type_vocab_size {config.TypeVocabularySize}. {Advice}");
        return faults;
    }

    /// <summary>What is wrong between a decoder's configuration and its tokenizer; empty when they belong together.</summary>
    public static IReadOnlyList<string> OfTokenizer(DecoderConfig config, TextTokenizer tokenizer) => tokenizer.VocabularySize <= config.VocabularySize
        ? []
        : [$"the tokenizer has {tokenizer.VocabularySize} entries, config.json says vocab_size {config.VocabularySize}. Use the tokenizer that the checkpoint was trained with."];

    /// <summary>What is wrong between configuration and weights; null when they belong together.</summary>
    /// <remarks>A missing head or pooler is no fault: it is drawn anew.</remarks>
    public static string? OfWeights(EncoderConfig config, IReadOnlyDictionary<string, StoredTensor> weights)
    {
        var complaints = NetworkShapes.Complaints(
            OfBase(config), weights, NetworkShapes.LayersOf(config), key => MaskedLanguageModel.IsHeadKey(key, config) || SequenceClassifier.IsHeadKey(key, config));
        return complaints.Count == 0 ? null : $"{string.Join(", ", complaints)}. Use the config.json that belongs to these weights.";
    }

    /// <summary>Why a discriminator is no masked language model.</summary>
    public static string OfDiscriminator(string name) =>
        $"{name}: this is an ELECTRA discriminator, which was pretrained to spot replaced tokens and has no masked-language-model head. "
        + "Use the generator of the same release, or a checkpoint of another family; for classification it is fine as it is.";

    /// <summary>Why a base's pretraining loss cannot be measured, with what can be done instead; null when it can, as far as is known without its weights.</summary>
    public static string? OfLanguageModel(PretrainedModel model)
    {
        const string Alternatives = "without one, forgetting shows in retention tasks (accuracy of a fresh head on the frozen encoder, before and after) "
            + "and in representation drift (linear CKA of hidden states)";
        if (model.Contents.IsDiscriminator) return $"{OfDiscriminator(model.Name)} A language-model head is what measures forgetting; {Alternatives}.";
        var missing = model.InitializedKeys.Where(key => MaskedLanguageModel.IsHeadKey(key, model.Config)).ToList();
        if (missing.Count == 0) return null;
        return model.HasWeights
            ? $"{model.Name}: the checkpoint has no masked-language-model head ({MessageText.List(missing)} missing), so there is no pretraining loss to measure. "
                + $"Use a checkpoint that has it ({model.Config.MaskedLanguageModelArchitecture}); {Alternatives}."
            : $"{model.Name}: there are no pretrained weights, so there is nothing that fine-tuning could have made it forget. Use a pretrained checkpoint.";
    }

    /// <summary>Shapes by key of what a base model is made of: encoder, language-model head, and BERT's pooler, though only a classifier asks for it.</summary>
    public static IReadOnlyDictionary<string, long[]> OfBase(EncoderConfig config) =>
        NetworkShapes.OfMaskedLanguageModel(config)
            .Concat(NetworkShapes.OfClassificationHead(config, classCount: 2).Where(wanted => CheckpointKeys.IsBaseKey(wanted.Key, config)))
            .ToDictionary();
}
