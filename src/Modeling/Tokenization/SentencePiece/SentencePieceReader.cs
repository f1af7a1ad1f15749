namespace MLNetLoRA.Modeling;

/// <summary>Reads a SentencePiece model file as the tokenizer's class does: fairseq's classes number its pieces anew.</summary>
internal sealed class SentencePieceReader(TokenizerFileSet files, TokenizerConfig config)
{
    private static readonly string[] XlmRobertaClasses = ["XLMRobertaTokenizer", "XLMRobertaTokenizerFast"];
    private static readonly string[] CamembertClasses = ["CamembertTokenizer", "CamembertTokenizerFast"];

    private static readonly string[] LlamaClasses = ["LlamaTokenizer", "LlamaTokenizerFast"];

    /// <summary>Without a class a model file keeps its own ids.</summary>
    public static readonly IReadOnlyList<string> Classes = [.. XlmRobertaClasses, .. CamembertClasses, .. LlamaClasses];

    /// <param name="name">The model file.</param>
    public TokenizerDefinition Read(string name) => LlamaClasses.Contains(config.TokenizerClass) ? ReadDecoder(name) : ReadEncoder(name);

    private TokenizerDefinition ReadEncoder(string name)
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
            SequenceTemplate.Roberta(special.Classify!.Value, special.Separator!.Value));

        InvalidDataException Fault(string text) => files.Fault(name, text);
    }

    private TokenizerDefinition ReadDecoder(string name)
    {
        var file = SentencePieceFile.Read(files.ReadBytes(name).Span, Fault);
        if (file.Algorithm != SentencePieceAlgorithm.BytePairs)
            throw Fault($"it is of kind {file.Algorithm}, and tokenizer_class '{config.TokenizerClass}' reads BPE; use the files that came with the checkpoint.");
        if (config.Flag("add_prefix_space", true) == false)
            throw files.Unsupported(TokenizerFileSet.TokenizerConfig, "add_prefix_space", "false", "true");
        var (ids, vocabulary) = SentencePieceLayout.Own.Number(file.Pieces, Fault);
        var names = DecoderTokenNames.Of(config, new DecoderTokenNames(Pad: null, file.Pieces[file.UnknownPiece].Text, "<s>", "</s>"));
        var (special, added) = new RoleTokens(files, config).Resolve(names, name, vocabulary);
        // The class names its old way "legacy": there every stretch of text between added tokens is a text of its own.
        var model = new SentencePieceBpe(file, ids, prefixesAll: config.Flag("legacy", true) ?? true);
        return new TokenizerDefinition(
            model, vocabulary, [.. added.Select(token => token with { IsNormalized = false })], special,
            SequenceTemplate.Decoder(Opens("add_bos_token", true, special.Begin), Opens("add_eos_token", false, special.End)));

        int? Opens(string flag, bool otherwise, int? token) => config.Flag(flag, otherwise) ?? otherwise ? token : null;
        InvalidDataException Fault(string text) => files.Fault(name, text);
    }
}
