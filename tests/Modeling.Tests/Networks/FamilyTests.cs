using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>The families beyond RoBERTa and BERT: identities with the reference fixtures, and a reference in double precision.</summary>
public class FamilyTests
{
    private const double Tolerance = 2e-5;

    public static TheoryData<ModelFamily, int, bool> Variants => new()
    {
        { ModelFamily.Roberta, 24, true },
        { ModelFamily.Bert, 24, false },
        { ModelFamily.XlmRoberta, 24, true },
        { ModelFamily.DistilBert, 24, true },
        { ModelFamily.DistilBert, 24, false },
        { ModelFamily.Electra, 24, true },
        { ModelFamily.Electra, 10, true },
        { ModelFamily.Electra, 40, false },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public void NetworkShapes_OfEveryFamily_AreWhatTheNetworksRegister(ModelFamily family, int embeddingSize, bool isTied)
    {
        var config = Config(family, embeddingSize) with { TieWordEmbeddings = isTied };
        using var generator = new Generator(1, CPU);
        using var languageModel = new MaskedLanguageModel(new NetworkContext(config, new PlainProjections(), null), Random(generator));
        using var classifier = new SequenceClassifier(new NetworkContext(config, new PlainProjections(), null), Random(generator), 5);

        Assert.Equal(Sorted(Shapes(languageModel)), Sorted(NetworkShapes.OfMaskedLanguageModel(config)));
        Assert.Equal(Sorted(Shapes(classifier)), Sorted(NetworkShapes.OfClassifier(config, 5)));

        static Dictionary<string, long[]> Shapes(nn.Module network) =>
            network.named_parameters().ToDictionary(parameter => parameter.name, parameter => parameter.parameter.shape);

        static string[] Sorted(IReadOnlyDictionary<string, long[]> shapes) =>
            [.. shapes.Select(shape => $"{shape.Key} {string.Join(',', shape.Value)}").Order(StringComparer.Ordinal)];
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Matrices_OfEveryFamily_AreTheSlotsThatTheNetworkAsksToFill(ModelFamily family, int embeddingSize, bool isTied)
    {
        var config = Config(family, embeddingSize) with { TieWordEmbeddings = isTied };
        using var generator = new Generator(1, CPU);
        var asked = new ListingProjections();
        using var classifier = new SequenceClassifier(new NetworkContext(config, asked, null), Random(generator), 5);

        Assert.Equal(asked.Found, SequenceClassifier.Matrices(config));
    }

    [Fact]
    public void XlmRoberta_WithRobertasWeights_GivesRobertasReferenceNumbers()
    {
        using var folder = new TemporaryFolder();
        var reference = SharedData.Path("roberta-tiny-parity");
        File.Copy(Path.Combine(reference, "model.safetensors"), folder.File("model.safetensors"));
        folder.Write("config.json", File.ReadAllText(Path.Combine(reference, "config.json")).Replace("\"roberta\"", "\"xlm-roberta\"", StringComparison.Ordinal));

        AssertReference(reference, folder, ModelFamily.XlmRoberta);
    }

    [Fact]
    public void DistilBert_OfBertsWeightsWithTypeZeroInThePositions_GivesBertsReferenceNumbers()
    {
        using var folder = new TemporaryFolder();
        var reference = SharedData.Path("bert-tiny-parity");
        Rewrite(reference, folder, weights =>
        {
            weights["bert.embeddings.position_embeddings.weight"] += weights["bert.embeddings.token_type_embeddings.weight"][0];
            weights.Remove("bert.embeddings.token_type_embeddings.weight");
        },
            ("bert.encoder.layer.", "distilbert.transformer.layer."), ("bert.", "distilbert."),
            ("attention.self.query", "attention.q_lin"), ("attention.self.key", "attention.k_lin"), ("attention.self.value", "attention.v_lin"),
            ("attention.output.dense", "attention.out_lin"), ("attention.output.LayerNorm", "sa_layer_norm"),
            ("intermediate.dense", "ffn.lin1"), ("output.dense", "ffn.lin2"), ("output.LayerNorm", "output_layer_norm"),
            ("cls.predictions.transform.dense", "vocab_transform"), ("cls.predictions.transform.LayerNorm", "vocab_layer_norm"),
            ("cls.predictions.bias", "vocab_projector.bias"));
        folder.Write("config.json", """
            {"architectures": ["DistilBertForMaskedLM"], "model_type": "distilbert", "vocab_size": 300, "dim": 64, "n_layers": 3, "n_heads": 4,
             "hidden_dim": 128, "max_position_embeddings": 80, "dropout": 0.1, "attention_dropout": 0.1, "qa_dropout": 0.1,
             "seq_classif_dropout": 0.2, "activation": "gelu", "sinusoidal_pos_embds": false, "tie_weights_": true, "pad_token_id": 0}
            """);

        AssertReference(reference, folder, ModelFamily.DistilBert);
    }

    [Fact]
    public void Electra_WithBertsWeightsAndNoProjection_GivesBertsReferenceNumbers()
    {
        using var folder = new TemporaryFolder();
        var reference = SharedData.Path("bert-tiny-parity");
        Rewrite(reference, folder, _ => { },
            ("bert.", "electra."), ("cls.predictions.transform.dense", "generator_predictions.dense"),
            ("cls.predictions.transform.LayerNorm", "generator_predictions.LayerNorm"), ("cls.predictions.bias", "generator_lm_head.bias"));
        folder.Write("config.json", """
            {"architectures": ["ElectraForMaskedLM"], "model_type": "electra", "vocab_size": 300, "embedding_size": 64, "hidden_size": 64,
             "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128, "max_position_embeddings": 80, "type_vocab_size": 2,
             "layer_norm_eps": 1e-12, "hidden_act": "gelu", "summary_type": "first", "summary_use_proj": true}
            """);

        AssertReference(reference, folder, ModelFamily.Electra);
    }

    public static TheoryData<ModelFamily, int> Classifiers => new()
    {
        { ModelFamily.XlmRoberta, 24 }, { ModelFamily.DistilBert, 24 }, { ModelFamily.Electra, 24 }, { ModelFamily.Electra, 10 },
    };

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void SequenceClassifier_OfRandomWeights_EqualsTheFormulasInDoublePrecision(ModelFamily family, int embeddingSize)
    {
        var config = Config(family, embeddingSize);
        using var generator = new Generator(7, CPU);
        using var network = new SequenceClassifier(new NetworkContext(config, new PlainProjections(), null), Random(generator), 3);
        Disturb(network, generator);
        network.eval();
        int[] ids = [4, 9, 13, 2, 17, 6], types = family is ModelFamily.Electra ? [0, 0, 0, 1, 1, 1] : [0, 0, 0, 0, 0, 0];
        using var batch = TokenBatch.FromArrays(
            [.. ids, .. Enumerable.Repeat(config.PadTokenId, 2).Select(id => (long)id)], [true, true, true, true, true, true, false, false],
            [.. types, 0, 0], 1, config, CPU);

        using var scope = NewDisposeScope();
        var (logits, hidden) = network.ForwardWithHiddenState(batch);

        var (reference, head) = Reference(network, config);
        var expected = reference.Run(ids, types, family is ModelFamily.XlmRoberta ? config.PadTokenId + 1 : 0);
        AssertClose([.. expected.SelectMany(vector => vector)], hidden.narrow(1, 0, ids.Length));
        AssertClose(head(reference, expected[0]), logits);
    }

    [Theory]
    [InlineData(ModelFamily.Electra, 10, "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias", true)]
    [InlineData(ModelFamily.Electra, 24, "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias", true)]
    [InlineData(ModelFamily.DistilBert, 24, "vocab_transform", "vocab_layer_norm", "vocab_projector.bias", false)]
    public void LanguageModelHead_WhereLayersUseRelu_EqualsTheFormulasInDoublePrecision(
        ModelFamily family, int embeddingSize, string dense, string norm, string bias, bool isGelu)
    {
        // ELECTRA's generator is gelu whatever hidden_act says; DistilBERT's head follows its activation.
        var config = Config(family, embeddingSize) with { HiddenActivation = HiddenActivation.Relu };
        using var generator = new Generator(8, CPU);
        using var network = new MaskedLanguageModel(new NetworkContext(config, new PlainProjections(), null), Random(generator));
        Disturb(network, generator);
        network.eval();
        using var batch = TokenBatch.FromArrays([4, 9, 13, 2], [true, true, true, true], null, 1, config, CPU);

        using var scope = NewDisposeScope();
        var (logits, hidden) = network.ForwardWithHiddenState(batch);

        var reference = new ReferenceEncoder(Values(network), new ReferenceKeys("", "", [], HasTypes: false), 0, 1, 1e-12);
        var words = Values(network)[$"{config.CheckpointPrefix}.embeddings.word_embeddings.weight"].Chunk(embeddingSize).ToArray();
        var expected = hidden.detach().data<float>().ToArray().Chunk(24).SelectMany(vector =>
        {
            var pooled = reference.Linear(dense, [.. vector.Select(value => (double)value)]);
            var transformed = reference.Norm(norm, [.. pooled.Select(value => isGelu ? ReferenceEncoder.Gelu(value) : Math.Max(value, 0))]);
            return words.Select((word, w) => word.Zip(transformed, (l, r) => l * r).Sum() + Values(network)[bias][w]);
        });
        AssertClose([.. expected], logits);
    }

    [Theory]
    [InlineData(ModelFamily.Roberta, "classifier.dense", "classifier.out_proj", 4e-3)]      // tanh(2x) · 2 for small x
    [InlineData(ModelFamily.XlmRoberta, "classifier.dense", "classifier.out_proj", 4e-3)]
    [InlineData(ModelFamily.Electra, "classifier.dense", "classifier.out_proj", 2e-3)]      // gelu(2x) · 2, gelu(x) being x / 2
    [InlineData(ModelFamily.Bert, "bert.pooler.dense", "classifier", 2e-3)]                 // tanh(x) · 2
    [InlineData(ModelFamily.DistilBert, "pre_classifier", "classifier", 2e-3)]              // relu(x) · 2
    public void ClassificationHead_InTraining_DropsWhereItsFamilyDoes(ModelFamily family, string dense, string classes, double kept)
    {
        // Both maps are the identity, half of everything is dropped and the rest doubled: what is kept tells how often.
        var config = Config(family, 24) with { ClassifierDropout = 0.5 };
        using var generator = new Generator(3, CPU);
        using var scope = NewDisposeScope();
        var weights = new Dictionary<string, Tensor>
        {
            [$"{dense}.weight"] = eye(24, dtype: float32, device: CPU), [$"{dense}.bias"] = zeros(24, dtype: float32, device: CPU),
            [$"{classes}.weight"] = eye(24, dtype: float32, device: CPU), [$"{classes}.bias"] = zeros(24, dtype: float32, device: CPU),
        };
        using var head = new ClassificationHead(
            new NetworkContext(config, new PlainProjections(), new RandomDropout(generator)), new ParameterSource(weights, CPU, _ => false, null), 24);
        head.train();

        var outputs = head.forward(full([8, 24], 1e-3f, dtype: float32, device: CPU)).data<float>().ToArray();

        Assert.All(outputs, output => Assert.True(output == 0 || Math.Abs(output - kept) < 2e-5, $"{output}"));
        Assert.Contains(outputs, output => output == 0);
        Assert.Contains(outputs, output => output != 0);
    }

    [Fact]
    public void DistilBert_InTraining_DropsNoAttentionOutput()
    {
        // Hidden dropout of nearly everything: what is left of the feed-forward network and of the embeddings vanishes, attention's output stays.
        var config = Config(ModelFamily.DistilBert, 24) with { LayerCount = 1, HiddenDropout = 0.999999, AttentionDropout = 0 };
        Assert.NotEqual(0, Spread(config));
        Assert.Equal(0, Spread(Config(ModelFamily.Bert, 24) with { LayerCount = 1, HiddenDropout = 0.999999, AttentionDropout = 0 }));

        // The embeddings are dropped to zero, so every token has the same vector; biases alone tell whether attention's output passes.
        static double Spread(EncoderConfig config)
        {
            using var generator = new Generator(3, CPU);
            using var scope = NewDisposeScope();
            var dropout = new RandomDropout(generator);
            using var network = new Encoder(new NetworkContext(config, new PlainProjections(), dropout), Random(generator));
            using (no_grad())
            {
                foreach (var (name, parameter) in network.named_parameters())
                    if (name.EndsWith("attention.out_lin.bias", StringComparison.Ordinal) || name.EndsWith("attention.output.dense.bias", StringComparison.Ordinal))
                        parameter[0] = 1;
            }
            network.train();
            using var batch = TokenBatch.FromArrays([4, 9, 13], [true, true, true], null, 1, config, CPU);
            return network.forward(batch).abs().max().item<float>();
        }
    }

    [Fact]
    public void SinusoidalPositions_WithoutACheckpoint_AreThePapersTable()
    {
        var config = Config(ModelFamily.DistilBert, 24) with { HasSinusoidalPositions = true };
        using var generator = new Generator(1, CPU);
        using var network = new MaskedLanguageModel(new NetworkContext(config, new PlainProjections(), null), Random(generator));

        var table = Values(network)["distilbert.embeddings.position_embeddings.weight"];

        for (var p = 0; p < config.MaxPositions; p++)
            for (var c = 0; c < 24; c++)
            {
                var angle = p / Math.Pow(10_000, c / 2 * 2 / 24.0);
                Assert.Equal(c % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle), table[p * 24 + c], 1e-6);
            }
    }

    [Fact]
    public void Open_OfAnElectraDiscriminator_SaysWhatItIsAndWhatToUse()
    {
        using var folder = new TemporaryFolder();
        var config = Config(ModelFamily.Electra, 10);
        folder.Write("config.json", config.ToJson(["ElectraForPreTraining"]));
        using var scope = NewDisposeScope();
        var shapes = NetworkShapes.OfMaskedLanguageModel(config).Where(shape => !MaskedLanguageModel.IsHeadKey(shape.Key, config)).ToDictionary();
        shapes.Add("discriminator_predictions.dense.weight", [24, 24]);
        SafetensorsWriter.Write(folder.File(Checkpoint.FileName),
            [.. shapes.Select(shape => KeyValuePair.Create(shape.Key, zeros(shape.Value, dtype: float32, device: CPU)))]);

        var error = Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(folder.FullName, CPU));

        Assert.Contains("this is an ELECTRA discriminator", error.Message, StringComparison.Ordinal);
        Assert.Contains("Use the generator", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Slots_OfDistilBert_AreTheCheckpointsNames() =>
        Assert.Equal(
            [("q_lin", 24, 24), ("k_lin", 24, 24), ("v_lin", 24, 24), ("out_lin", 24, 24), ("lin1", 24, 36), ("lin2", 36, 24)],
            SequenceClassifier.Slots(Config(ModelFamily.DistilBert, 24)).Select(slot => (slot.Target, slot.Inputs, slot.Outputs)));

    private static EncoderConfig Config(ModelFamily family, int embeddingSize) => new()
    {
        Family = family, VocabularySize = 20, HiddenSize = 24, LayerCount = 2, HeadCount = 3, IntermediateSize = 36, MaxPositions = 16,
        EmbeddingSize = embeddingSize, LayerNormEpsilon = 1e-12, InitializerRange = 0.3,
    };

    private static ParameterSource Random(Generator generator) => new(new Dictionary<string, Tensor>(), CPU, _ => false, generator);

    // Biases and norms are drawn as zeros and ones, which would hide a bias left out or a norm misplaced.
    private static void Disturb(nn.Module network, Generator generator)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var parameter in network.parameters().Where(parameter => parameter.dim() == 1))
            parameter.add_(randn(parameter.shape, dtype: float32, device: CPU, generator: generator) * 0.2);
    }

    private static Dictionary<string, double[]> Values(nn.Module network) => network.named_parameters().ToDictionary(
        parameter => parameter.name, parameter => parameter.parameter.detach().data<float>().ToArray().Select(value => (double)value).ToArray());

    private static (ReferenceEncoder Encoder, Func<ReferenceEncoder, double[], double[]> Head) Reference(nn.Module network, EncoderConfig config)
    {
        var (keys, head) = config.Family switch
        {
            ModelFamily.XlmRoberta => (
                new ReferenceKeys("roberta", "roberta.encoder.layer.{0}", ReferenceKeys.Bert, HasTypes: true), Head("classifier.dense", Math.Tanh, "classifier.out_proj")),
            ModelFamily.DistilBert => (
                new ReferenceKeys("distilbert", "distilbert.transformer.layer.{0}", ReferenceKeys.DistilBert, HasTypes: false),
                Head("pre_classifier", x => Math.Max(x, 0), "classifier")),
            _ => (
                new ReferenceKeys("electra", "electra.encoder.layer.{0}", ReferenceKeys.Bert, HasTypes: true),
                Head("classifier.dense", ReferenceEncoder.Gelu, "classifier.out_proj")),
        };
        return (new ReferenceEncoder(Values(network), keys, config.LayerCount, config.HeadCount, 1e-12), head);

        static Func<ReferenceEncoder, double[], double[]> Head(string dense, Func<double, double> activate, string classes) =>
            (encoder, first) => encoder.Linear(classes, [.. encoder.Linear(dense, first).Select(activate)]);
    }

    private static void AssertClose(double[] expected, Tensor actual)
    {
        using var contiguous = actual.detach().contiguous();
        var found = contiguous.data<float>().ToArray();
        Assert.Equal(expected.Length, found.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], Tolerance);
    }

    /// <summary>Writes the reference's weights with changed values and names, in this order; the first name that fits is replaced.</summary>
    private static void Rewrite(string reference, TemporaryFolder folder, Action<Dictionary<string, Tensor>> change, params (string From, string To)[] names)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(reference);
        var weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
        change(weights);
        SafetensorsWriter.Write(folder.File(Checkpoint.FileName), [.. weights.Select(weight => KeyValuePair.Create(Rename(weight.Key), weight.Value))]);

        string Rename(string key)
        {
            foreach (var (from, to) in names)
            {
                // A prefix is replaced and the rest may match too; a part ends the search.
                if (from.EndsWith('.') && key.StartsWith(from, StringComparison.Ordinal)) key = to + key[from.Length..];
                else if (!from.EndsWith('.') && key.Contains(from, StringComparison.Ordinal)) return key.Replace(from, to, StringComparison.Ordinal);
            }
            return key;
        }
    }

    private static void AssertReference(string reference, TemporaryFolder folder, ModelFamily family)
    {
        using var expected = ParityFixture.Open(reference);
        using var network = CheckpointNetwork.Open(folder.FullName, CPU);
        using var batch = expected.BatchFor(network.Config);
        using var scope = NewDisposeScope();

        var (logits, hidden) = network.Forward(batch);

        Assert.Equal(family, network.Config.Family);
        expected.AssertClose("logits", logits, Tolerance);
        expected.AssertClose("last_hidden_state", hidden, Tolerance);
        Assert.Equal(expected.Expected.GetProperty("mlm_loss").GetDouble(), expected.MeanLoss(logits), 1e-5);
    }

    /// <summary>Fills the slots as usual and writes them down.</summary>
    private sealed class ListingProjections : IProjectionFactory
    {
        private readonly PlainProjections _plain = new();

        public List<KeyValuePair<string, ProjectionShape>> Found { get; } = [];

        public nn.Module<Tensor, Tensor> Create(ProjectionSlot slot, ParameterSource source, RandomDropout? dropout)
        {
            Found.Add(KeyValuePair.Create(source.KeyOf("weight")[..^".weight".Length], new ProjectionShape(slot.Target, slot.Inputs, slot.Outputs)));
            return _plain.Create(slot, source, dropout);
        }
    }
}
