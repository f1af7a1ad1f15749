using System.Text;
using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests;

public class EncoderConfigTests
{
    [Fact]
    public void Parse_RequiredKeysOnly_UsesTheFamilysDefaults()
    {
        var roberta = Parse(Minimal());
        var bert = Parse(Minimal(json => json["model_type"] = "bert"));

        Assert.Equal((ModelFamily.Roberta, 1, "roberta", 78), (roberta.Family, roberta.PadTokenId, roberta.CheckpointPrefix, roberta.MaxTokens));
        Assert.Equal((ModelFamily.Bert, 0, "bert", 80), (bert.Family, bert.PadTokenId, bert.CheckpointPrefix, bert.MaxTokens));
        Assert.Equal((300, 64, 3, 4, 128, 80, 16), (bert.VocabularySize, bert.HiddenSize, bert.LayerCount, bert.HeadCount, bert.IntermediateSize, bert.MaxPositions, bert.HeadSize));
        Assert.Equal((0.1, 0.1, null, 0.02, 1e-12), (bert.HiddenDropout, bert.AttentionDropout, bert.ClassifierDropout, bert.InitializerRange, bert.LayerNormEpsilon));
        Assert.Equal((2, true, HiddenActivation.Gelu), (bert.TypeVocabularySize, bert.TieWordEmbeddings, bert.HiddenActivation));
        Assert.Null(bert.LabelNames);
    }

    [Fact]
    public void Parse_DistilBert_ReadsItsOwnNamesAndFixedValues()
    {
        var config = Parse(DistilBert());

        Assert.Equal((ModelFamily.DistilBert, 0, "distilbert", 80), (config.Family, config.PadTokenId, config.CheckpointPrefix, config.MaxTokens));
        Assert.Equal((64, 3, 4, 128), (config.HiddenSize, config.LayerCount, config.HeadCount, config.IntermediateSize));
        Assert.Equal((0, 1e-12, 0.2, false), (config.TypeVocabularySize, config.LayerNormEpsilon, config.ClassifierDropout, config.HasSinusoidalPositions));
        var changed = Parse(DistilBert(json =>
        {
            (json["dropout"], json["attention_dropout"], json["seq_classif_dropout"]) = (0.3, 0.4, 0.5);
            (json["activation"], json["sinusoidal_pos_embds"]) = ("relu", true);
        }));
        Assert.Equal((0.3, 0.4, 0.5), (changed.HiddenDropout, changed.AttentionDropout, changed.ClassifierDropout));
        Assert.Equal((HiddenActivation.Relu, true), (changed.HiddenActivation, changed.HasSinusoidalPositions));
    }

    [Fact]
    public void Parse_ElectraAndXlmRoberta_UseTheirDefaults()
    {
        var electra = Parse(Minimal(json => json["model_type"] = "electra"));
        var narrow = Parse(Minimal(json => (json["model_type"], json["embedding_size"]) = ("electra", 32)));
        var xlm = Parse(Minimal(json => (json["model_type"], json["vocab_size"]) = ("xlm-roberta", 250_002)));

        Assert.Equal(("electra", 0, 128, 64, 80), (electra.ModelType, electra.PadTokenId, electra.EmbeddingSize, electra.HiddenSize, electra.MaxTokens));
        Assert.Equal(32, narrow.EmbeddingSize);
        Assert.Equal((250_002, "roberta", 1, 78, 64), (xlm.VocabularySize, xlm.CheckpointPrefix, xlm.PadTokenId, xlm.MaxTokens, xlm.EmbeddingSize));
        Assert.Equal("XLMRobertaForMaskedLM", xlm.MaskedLanguageModelArchitecture);
    }

    [Theory]
    [InlineData("camembert")]
    [InlineData("mpnet")]
    [InlineData("albert")]
    [InlineData("deberta-v2")]
    [InlineData("Roberta")]
    public void Parse_OtherFamily_IsRefusedByNameWithTheSupportedOnes(string family) => Assert.Equal(
        $"test: model_type is '{family}'; supported are roberta, bert, xlm-roberta, distilbert, electra.",
        Assert.Throws<InvalidDataException>(() => Parse(Minimal(json => json["model_type"] = family))).Message);

    [Fact]
    public void Parse_FaultsOfDistilBert_UseItsNames()
    {
        var thrown = Assert.Throws<InvalidDataException>(() => Parse(DistilBert(json =>
        {
            json.Remove("n_layers");
            (json["dim"], json["dropout"], json["seq_classif_dropout"], json["activation"]) = (65, 1, -1, "swish");
        })));

        Assert.Equal(
            "test: n_layers is missing. activation is 'swish'; supported are gelu, gelu_new, gelu_pytorch_tanh, relu. "
            + "dropout is 1; use 0 or more, below 1. seq_classif_dropout is -1; use 0 or more, below 1. dim is 65, not a multiple of n_heads 4.",
            thrown.Message);
    }

    [Theory]
    [InlineData("type_vocab_size", "1")]
    [InlineData("layer_norm_eps", "1e-5")]
    [InlineData("pad_token_id", "7")]
    [InlineData("hidden_dropout_prob", "0.25")]
    [InlineData("attention_probs_dropout_prob", "0.25")]
    [InlineData("classifier_dropout", "0")]
    [InlineData("initializer_range", "0.5")]
    [InlineData("tie_word_embeddings", "false")]
    [InlineData("hidden_act", "\"relu\"")]
    [InlineData("id2label", """{"0":"no"}""")]
    public void Parse_OptionalKey_ChangesTheConfiguration(string key, string value) =>
        Assert.NotEqual(Parse(Minimal()), Parse(Minimal(json => json[key] = JsonNode.Parse(value))));

    [Theory]
    [InlineData("gelu", HiddenActivation.Gelu)]
    [InlineData("gelu_new", HiddenActivation.GeluTanh)]
    [InlineData("gelu_pytorch_tanh", HiddenActivation.GeluTanh)]
    [InlineData("relu", HiddenActivation.Relu)]
    public void Parse_KnownActivation_IsMapped(string name, HiddenActivation expected) =>
        Assert.Equal(expected, Parse(Minimal(json => json["hidden_act"] = name)).HiddenActivation);

    [Theory]
    [InlineData("""{"1":"b","0":"a"}""", new[] { "a", "b" })]
    [InlineData("""{"0":"a","2":"b"}""", null)]
    [InlineData("""{"1":"a","2":"b"}""", null)]
    [InlineData("""{"0":"a","one":"b"}""", null)]
    [InlineData("""{"1":"a","01":"b"}""", null)]
    [InlineData("""{}""", null)]
    public void Parse_LabelNames_AreThereOnlyForConsecutiveIds(string labels, string[]? expected) =>
        Assert.Equal(expected, Parse(Minimal(json => json["id2label"] = JsonNode.Parse(labels))).LabelNames);

    [Theory]
    [InlineData("model_type", "\"llama\"", "model_type is 'llama'; supported are roberta, bert, xlm-roberta, distilbert, electra.")]
    [InlineData("model_type", "null", "model_type is missing; supported are roberta, bert, xlm-roberta, distilbert, electra.")]
    [InlineData("model_type", "3", "model_type is '3'; a string was wanted.")]
    [InlineData("vocab_size", "null", "vocab_size is missing.")]
    [InlineData("vocab_size", "\"300\"", "vocab_size is a string; a whole number was wanted.")]
    [InlineData("vocab_size", "3e2", "vocab_size is '3e2'; a whole number was wanted.")]
    [InlineData("vocab_size", "0", "vocab_size is 0; use 1 to 10,000,000.")]
    [InlineData("vocab_size", "2147483647", "vocab_size is 2147483647; use 1 to 10,000,000.")]
    [InlineData("vocab_size", "9999999999", "vocab_size is '9999999999'; a whole number was wanted.")]
    [InlineData("hidden_size", "-64", "hidden_size is -64; use 1 to 1,000,000.")]
    [InlineData("hidden_size", "65", "hidden_size is 65, not a multiple of num_attention_heads 4.")]
    [InlineData("num_hidden_layers", "1001", "num_hidden_layers is 1001; use 1 to 1,000.")]
    [InlineData("num_attention_heads", "0", "num_attention_heads is 0;")]
    [InlineData("max_position_embeddings", "2", "RoBERTa numbers positions from pad_token_id + 1 = 2, so no token fits.")]
    [InlineData("pad_token_id", "300", "pad_token_id is 300; use a row of the word embedding (vocab_size is 300).")]
    [InlineData("pad_token_id", "-1", "pad_token_id is -1;")]
    [InlineData("hidden_dropout_prob", "1", "hidden_dropout_prob is 1; use 0 or more, below 1.")]
    [InlineData("attention_probs_dropout_prob", "1e999", "attention_probs_dropout_prob is '1e999'; a finite number was wanted.")]
    [InlineData("classifier_dropout", "-0.5", "classifier_dropout is -0.5;")]
    [InlineData("layer_norm_eps", "0", "layer_norm_eps is 0;")]
    [InlineData("initializer_range", "-1", "initializer_range is -1;")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings is '1'; true or false was wanted.")]
    [InlineData("hidden_act", "\"swish\"", "hidden_act is 'swish'; supported are gelu, gelu_new, gelu_pytorch_tanh, relu.")]
    [InlineData("position_embedding_type", "\"relative_key\"", "position_embedding_type is 'relative_key'; only absolute is supported.")]
    [InlineData("is_decoder", "true", "is_decoder is true; only encoders are supported.")]
    [InlineData("quantization_config", "{}", "quantization_config is set;")]
    [InlineData("pruned_heads", """{"0":[1]}""", "pruned_heads names attention heads that were cut out;")]
    [InlineData("embedding_size", "32", "embedding_size is 32, hidden_size 64; in roberta the two are one, only electra may differ.")]
    [InlineData("embedding_size", "\"32\"", "embedding_size is a string; a whole number was wanted.")]
    [InlineData("id2label", "[]", "id2label is an array;")]
    [InlineData("id2label", """{"0":0}""", "id2label.'0' is '0'; a string was wanted.")]
    public void Parse_FaultyValue_NamesKeyAndRange(string key, string value, string fault)
    {
        var text = Minimal().ToJsonString().Replace("}", $",\"{key}\":{value}}}", StringComparison.Ordinal);
        if (Minimal().ContainsKey(key)) text = text.Replace($"\"{key}\":{Minimal()[key]!.ToJsonString()},", "", StringComparison.Ordinal);

        var thrown = Assert.Throws<InvalidDataException>(() => EncoderConfig.Parse(Encoding.UTF8.GetBytes(text), "dir/config.json"));

        Assert.StartsWith("dir/config.json: ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(fault, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_SeveralFaults_ReportsAllOnce()
    {
        var thrown = Assert.Throws<InvalidDataException>(() => Parse(Minimal(json =>
        {
            json.Remove("vocab_size");
            json["hidden_size"] = 65;
            json["hidden_act"] = "swish";
            json["is_decoder"] = true;
            json["type_vocab_size"] = "two";
        })));

        Assert.Equal(
            "test: vocab_size is missing. type_vocab_size is a string; a whole number was wanted. "
            + "hidden_act is 'swish'; supported are gelu, gelu_new, gelu_pytorch_tanh, relu. is_decoder is true; only encoders are supported. "
            + "hidden_size is 65, not a multiple of num_attention_heads 4.",
            thrown.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"model_type":"bert","model_type":"roberta"}""")]
    [InlineData("""{"model_type":"\ud800"}""")]
    public void Parse_NotOneJsonObject_NamesTheSource(string json) =>
        Assert.StartsWith(
            "test: ", Assert.Throws<InvalidDataException>(() => EncoderConfig.Parse(Encoding.UTF8.GetBytes(json), "test")).Message, StringComparison.Ordinal);

    [Fact]
    public void FromFile_MissingFile_NamesThePath() =>
        Assert.StartsWith("no/config.json: ", Assert.Throws<FileNotFoundException>(() => EncoderConfig.FromFile("no/config.json")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(ModelFamily.Roberta, HiddenActivation.GeluTanh, null)]
    [InlineData(ModelFamily.Bert, HiddenActivation.Relu, 0.3)]
    [InlineData(ModelFamily.XlmRoberta, HiddenActivation.Gelu, 0.3)]
    [InlineData(ModelFamily.DistilBert, HiddenActivation.GeluTanh, 0.3)]
    [InlineData(ModelFamily.Electra, HiddenActivation.Relu, null)]
    public void ToJson_ThenParse_RestoresEverything(ModelFamily family, HiddenActivation activation, double? classifierDropout)
    {
        var config = new EncoderConfig
        {
            Family = family, VocabularySize = 11, HiddenSize = 12, LayerCount = 2, HeadCount = 3, IntermediateSize = 14, MaxPositions = 15,
            TypeVocabularySize = 5, LayerNormEpsilon = 1e-7, PadTokenId = 6, HiddenDropout = 0.2, AttentionDropout = 0.4,
            ClassifierDropout = classifierDropout, InitializerRange = 0.03, TieWordEmbeddings = false, HiddenActivation = activation,
        };
        if (family is ModelFamily.Electra) config = config with { EmbeddingSize = 9 };
        if (family is ModelFamily.DistilBert) config = config with { HasSinusoidalPositions = true, TypeVocabularySize = 2, LayerNormEpsilon = 1e-12 };
        Assert.Equal(config, EncoderConfig.Parse(Encoding.UTF8.GetBytes(config.ToJson()), "test"));
    }

    [Fact]
    public void ToJson_LabelsAndArchitectures_AreHuggingFaces()
    {
        var config = Parse(Minimal()) with { LabelNames = ["no", "yes"] };

        var json = JsonNode.Parse(config.ToJson(["RobertaForSequenceClassification"]))!;

        Assert.Equal("""["RobertaForSequenceClassification"]""", json["architectures"]!.ToJsonString());
        Assert.Equal("""{"0":"no","1":"yes"}""", json["id2label"]!.ToJsonString());
        Assert.Equal("""{"no":0,"yes":1}""", json["label2id"]!.ToJsonString());
        Assert.Equal(config.LabelNames, Parse(json.AsObject()).LabelNames);
    }

    [Fact]
    public void Validate_TwoBadValues_ReportsBoth()
    {
        var config = Parse(Minimal()) with { HiddenSize = 0, HiddenDropout = double.NaN };
        var message = Assert.Throws<ArgumentException>(config.Validate).Message;
        Assert.Contains("hidden_size is 0", message, StringComparison.Ordinal);
        Assert.Contains("hidden_dropout_prob is NaN", message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFile_Fixtures_HaveTheirKnownValues()
    {
        var roberta = EncoderConfig.FromFile(MLNetLoRA.Testing.SharedData.Path("roberta-tiny-parity", "config.json"));
        var classification = EncoderConfig.FromFile(MLNetLoRA.Testing.SharedData.Path("bert-tiny-parity", "classification", "config.json"));

        Assert.Equal((ModelFamily.Roberta, 300, 64, 1e-5, 1, 78), (roberta.Family, roberta.VocabularySize, roberta.HiddenSize, roberta.LayerNormEpsilon, roberta.TypeVocabularySize, roberta.MaxTokens));
        Assert.Equal(["class0", "class1", "class2"], classification.LabelNames);
        Assert.Contains(
            "supported are roberta, bert, xlm-roberta, distilbert, electra",
            Assert.Throws<InvalidDataException>(() => EncoderConfig.FromFile(MLNetLoRA.Testing.SharedData.Path("stories260K", "config.json"))).Message, StringComparison.Ordinal);
    }

    private static JsonObject Minimal(Action<JsonObject>? change = null)
    {
        var json = new JsonObject
        {
            ["model_type"] = "roberta", ["vocab_size"] = 300, ["hidden_size"] = 64, ["num_hidden_layers"] = 3,
            ["num_attention_heads"] = 4, ["intermediate_size"] = 128, ["max_position_embeddings"] = 80, ["torch_dtype"] = "float32",
        };
        change?.Invoke(json);
        return json;
    }

    private static JsonObject DistilBert(Action<JsonObject>? change = null)
    {
        var json = new JsonObject
        {
            ["model_type"] = "distilbert", ["vocab_size"] = 300, ["dim"] = 64, ["n_layers"] = 3, ["n_heads"] = 4, ["hidden_dim"] = 128,
            ["max_position_embeddings"] = 80,
        };
        change?.Invoke(json);
        return json;
    }

    private static EncoderConfig Parse(JsonObject json) => EncoderConfig.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "test");
}
