namespace MLNetLoRA.Modeling;

/// <summary>What a checkpoint holds, as the headers of its files say: nothing of the weights themselves is read. Immutable.</summary>
/// <remarks>Parameters that no network here asks for are in <see cref="UnusedKeys"/> and counted nowhere else.</remarks>
public sealed record CheckpointContents
{
    /// <summary>How the parameters are stored, the type of most of them first.</summary>
    public IReadOnlyList<StoredType> DataTypes { get; private init; } = [];

    /// <summary>Parameters of the embeddings, with the map to the layers' width where there is one.</summary>
    public long EmbeddingParameters { get; private init; }

    /// <summary>Parameters of the layers.</summary>
    public long EncoderParameters { get; private init; }

    /// <summary>Parameters of all heads, BERT's pooler included.</summary>
    public long HeadParameters { get; private init; }

    /// <summary>All parameters.</summary>
    public long ParameterCount => EmbeddingParameters + EncoderParameters + HeadParameters;

    /// <summary>Whether the masked-language-model head is there, complete.</summary>
    public bool HasLanguageModelHead { get; private init; }

    /// <summary>The sequence-classification head; null where there is none or not all of one.</summary>
    public StoredClassificationHead? ClassificationHead { get; private init; }

    /// <summary>Whether this is an ELECTRA discriminator, which learned to spot replaced tokens and never to guess hidden ones.</summary>
    public bool IsDiscriminator { get; private init; }

    /// <summary>Keys of the file, sorted, that no network here asks for; loading passes over them.</summary>
    public IReadOnlyList<string> UnusedKeys { get; private init; } = [];

    /// <summary>No weights at all.</summary>
    internal static CheckpointContents None { get; } = new();

    internal static CheckpointContents Of(BaseWeights weights, EncoderConfig config)
    {
        var head = FindHead(weights.Entries, config);
        var languageModel = NetworkShapes.OfMaskedLanguageModel(config);
        var asked = languageModel.Keys.Union(NetworkShapes.OfClassificationHead(config, 1).Keys.Where(key => head is not null || CheckpointKeys.IsBaseKey(key, config)));
        var held = asked.Where(weights.Entries.ContainsKey).Select(key => (Key: key, Stored: weights.Entries[key])).ToList();
        var (embeddings, layers) = ($"{config.CheckpointPrefix}.embeddings", NetworkShapes.LayersOf(config));
        return new CheckpointContents
        {
            DataTypes = StoredType.Of(held.Select(parameter => parameter.Stored)),
            EmbeddingParameters = Count(key => key.StartsWith(embeddings, StringComparison.Ordinal)),
            EncoderParameters = Count(key => key.StartsWith(layers, StringComparison.Ordinal)),
            HeadParameters = Count(key => !key.StartsWith(embeddings, StringComparison.Ordinal) && !key.StartsWith(layers, StringComparison.Ordinal)),
            HasLanguageModelHead = languageModel.Keys.Where(key => MaskedLanguageModel.IsHeadKey(key, config)).All(weights.Entries.ContainsKey),
            ClassificationHead = head,
            IsDiscriminator = config.Layout.DiscriminatorPrefix is { } prefix
                && weights.ForeignKeys.Any(key => key.StartsWith(prefix, StringComparison.Ordinal)),
            UnusedKeys = [.. weights.ForeignKeys.Concat(weights.Entries.Keys.Except(held.Select(parameter => parameter.Key))).Order(StringComparer.Ordinal)],
        };

        long Count(Func<string, bool> isPart) => held.Where(parameter => isPart(parameter.Key)).Sum(parameter => parameter.Stored.ElementCount);
    }

    private static StoredClassificationHead? FindHead(IReadOnlyDictionary<string, StoredTensor> entries, EncoderConfig config)
    {
        if (!entries.TryGetValue(config.Layout.Classification.ClassesBias, out var bias) || bias.Shape is not [> 0 and <= int.MaxValue and var classes]) return null;
        var isWhole = NetworkShapes.OfClassificationHead(config, (int)classes)
            .All(wanted => entries.TryGetValue(wanted.Key, out var found) && found.Shape.AsSpan().SequenceEqual(wanted.Value));
        return isWhole ? new StoredClassificationHead((int)classes, config.LabelNames?.Count == classes ? config.LabelNames : null) : null;
    }
}

/// <summary>How some of a checkpoint's parameters are stored.</summary>
/// <param name="Name">The type as safetensors spells it: F32, BF16, F16, F64.</param>
/// <param name="TensorCount">How many tensors.</param>
/// <param name="ParameterCount">How many numbers in them.</param>
/// <param name="ByteCount">Their size in bytes.</param>
public sealed record StoredType(string Name, int TensorCount, long ParameterCount, long ByteCount)
{
    /// <summary>The types of some parameters, that of most numbers first.</summary>
    internal static IReadOnlyList<StoredType> Of(IEnumerable<StoredTensor> parameters) =>
    [
        .. parameters.GroupBy(parameter => parameter.DataType)
            .Select(group => new StoredType(
                SafetensorsDataType.NameOf(group.Key), group.Count(), group.Sum(parameter => parameter.ElementCount),
                group.Sum(parameter => parameter.ElementCount) * SafetensorsDataType.SizeOf(group.Key)))
            .OrderByDescending(type => type.ParameterCount),
    ];
}

/// <summary>A classification head that came with a checkpoint.</summary>
/// <param name="ClassCount">Rows of its last map, 1 or more.</param>
/// <param name="LabelNames">The classes in that order; null where config.json has no id2label or one of another size. Records compare it by reference.</param>
public sealed record StoredClassificationHead(int ClassCount, IReadOnlyList<string>? LabelNames);
