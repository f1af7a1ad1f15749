namespace MLNetLoRA.Modeling;

/// <summary>Reads a SentencePiece model file as the tokenizer's class does: fairseq's classes number its pieces anew.</summary>
internal sealed class SentencePieceReader(TokenizerFileSet files, TokenizerConfig config)
{
    private static readonly string[] XlmRobertaClasses = ["XLMRobertaTokenizer", "XLMRobertaTokenizerFast"];
    private static readonly string[] CamembertClasses = ["CamembertTokenizer", "CamembertTokenizerFast"];

    /// <summary>Without a class a model file keeps its own ids.</summary>
    public static readonly IReadOnlyList<string> Classes = [.. XlmRobertaClasses, .. CamembertClasses];

    /// <param name="name">The model file.</param>
    public TokenizerDefinition Read(string name)
    {
        var file = SentencePieceFile.Read(files.ReadBytes(name).Span, Fault);
        var names = SpecialTokenNames.Of(config, isWordPiece: false);
        var layout = XlmRobertaClasses.Contains(config.TokenizerClass) ? SentencePieceLayout.XlmRoberta(names.Mask)
            : CamembertClasses.Contains(config.TokenizerClass) ? SentencePieceLayout.Camembert(names.Mask)
            : SentencePieceLayout.Own;
        var (ids, vocabulary) = layout.Number(file.Pieces, Fault);

        var (special, added) = new RoleTokens(files, config).Resolve(names, name, vocabulary, maskStripsLeft: true);
        if (special.Unknown != ids[file.UnknownPiece])
            throw Fault($"unk_token is '{names.Unknown}', and the model's piece for the unknown is '{file.Pieces[file.UnknownPiece].Text}'; "
                + "use the files that came with the checkpoint.");
        ISubwordModel model = file.Algorithm == SentencePieceAlgorithm.Unigram ? new SentencePieceUnigram(file, ids) : new SentencePieceBpe(file, ids);
        // The model's own way into text knows nothing of added tokens: they are looked for in the text as written.
        return new TokenizerDefinition(
            model, vocabulary, [.. added.Select(token => token with { IsNormalized = false })], special,
            SequenceTemplate.Roberta(special.Classify, special.Separator));

        InvalidDataException Fault(string text) => files.Fault(name, text);
    }
}
