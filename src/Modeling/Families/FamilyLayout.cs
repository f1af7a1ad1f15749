namespace MLNetLoRA.Modeling;

/// <summary>How one family's checkpoints spell and arrange what every encoder has. Immutable.</summary>
/// <remarks>
/// All that tells the families apart, as data: configurations, networks and checkpoints are written once and read it here. Sources: Hugging
/// Face's configuration and model classes of each family.
/// </remarks>
internal sealed record FamilyLayout
{
    public required ModelFamily Family { get; init; }

    /// <summary><c>model_type</c> in config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>What the family's classes in the transformers library start with: RobertaForMaskedLM.</summary>
    public required string ClassPrefix { get; init; }

    /// <summary>What the keys of the encoder start with, without the dot.</summary>
    public required string Prefix { get; init; }

    /// <summary>The module that holds the layers: encoder.layer.0 or transformer.layer.0.</summary>
    public string Stack { get; init; } = "encoder";

    public required ConfigNames Config { get; init; }

    public int DefaultPadTokenId { get; init; }

    /// <summary>Whether positions are counted over the tokens that are not padding, from pad_token_id + 1; otherwise from 0.</summary>
    public bool CountsPositionsFromPadding { get; init; }

    /// <summary>Whether attention's output map is followed by dropout, as the feed-forward network's always is.</summary>
    public bool DropsAttentionOutput { get; init; } = true;

    public LayerKeys Layer { get; init; } = LayerKeys.Bert;

    public required ClassificationKeys Classification { get; init; }

    public required LanguageModelKeys LanguageModel { get; init; }

    /// <summary>What only checkpoints of a discriminator hold; null where there is no such thing.</summary>
    public string? DiscriminatorPrefix { get; init; }

    /// <summary>Whether tokens have types, which tell the texts of a pair apart.</summary>
    public bool HasTokenTypes => Config.TypeVocabularySize is not null;

    /// <summary>Whether embeddings may be narrower than the layers, with a linear map between.</summary>
    public bool MayProjectEmbeddings => Config.EmbeddingSize is not null;

    /// <summary>What bare encoders' keys start with: they were saved without <see cref="Prefix"/>.</summary>
    public IEnumerable<string> BareParts => ["embeddings.", $"{Stack}.", "pooler.", .. MayProjectEmbeddings ? [EmbeddingProjection + "."] : Array.Empty<string>()];

    /// <summary>The map from the width of the embeddings to that of the layers.</summary>
    public const string EmbeddingProjection = "embeddings_project";

    /// <summary>Every family, in the order in which messages list them.</summary>
    public static IReadOnlyList<FamilyLayout> All { get; } =
    [
        new()
        {
            Family = ModelFamily.Roberta,
            ModelType = "roberta",
            ClassPrefix = "Roberta",
            Prefix = "roberta",
            Config = ConfigNames.Bert,
            DefaultPadTokenId = 1,
            CountsPositionsFromPadding = true,
            Classification = ClassificationKeys.Roberta,
            LanguageModel = LanguageModelKeys.Roberta,
        },
        new()
        {
            Family = ModelFamily.Bert,
            ModelType = "bert",
            ClassPrefix = "Bert",
            Prefix = "bert",
            Config = ConfigNames.Bert,
            Classification = ClassificationKeys.Bert,
            LanguageModel = LanguageModelKeys.Bert,
        },
        new()
        {
            Family = ModelFamily.XlmRoberta,
            ModelType = "xlm-roberta",
            ClassPrefix = "XLMRoberta",
            Prefix = "roberta",
            Config = ConfigNames.Bert,
            DefaultPadTokenId = 1,
            CountsPositionsFromPadding = true,
            Classification = ClassificationKeys.Roberta,
            LanguageModel = LanguageModelKeys.Roberta,
        },
        new()
        {
            Family = ModelFamily.DistilBert,
            ModelType = "distilbert",
            ClassPrefix = "DistilBert",
            Prefix = "distilbert",
            Stack = "transformer",
            Config = ConfigNames.DistilBert,
            DropsAttentionOutput = false,
            Layer = LayerKeys.DistilBert,
            Classification = ClassificationKeys.DistilBert,
            LanguageModel = LanguageModelKeys.DistilBert,
        },
        new()
        {
            Family = ModelFamily.Electra,
            ModelType = "electra",
            ClassPrefix = "Electra",
            Prefix = "electra",
            Config = ConfigNames.Electra,
            Classification = ClassificationKeys.Electra,
            LanguageModel = LanguageModelKeys.Electra,
            DiscriminatorPrefix = "discriminator_predictions.",
        },
    ];

    private static readonly Dictionary<ModelFamily, FamilyLayout> ByFamily = All.ToDictionary(layout => layout.Family);

    /// <exception cref="ArgumentOutOfRangeException">The number is no family.</exception>
    public static FamilyLayout Of(ModelFamily family) => ByFamily.TryGetValue(family, out var layout)
        ? layout
        : throw new ArgumentOutOfRangeException(nameof(family), family, "There is no such family of encoders.");
}
