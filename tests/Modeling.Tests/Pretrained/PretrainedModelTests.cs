using System.Security.Cryptography;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class PretrainedModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FromFolder_OfAFullCheckpoint_LacksNothing()
    {
        var model = Open();

        Assert.Empty(model.InitializedKeys);
        Assert.True(model.HasWeights);
        Assert.True(model.HasLanguageModelHead);
        Assert.Equal(["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"], model.Projections.Select(slot => slot.Target));
    }

    [Fact]
    public void FromFolder_WithoutLanguageModelHead_OpensAndSaysWhatIsDrawn()
    {
        Change(weights => weights.Where(weight => !weight.Key.StartsWith("lm_head", StringComparison.Ordinal)));

        var model = PretrainedModel.FromFolder(_folder.FullName);

        Assert.False(model.HasLanguageModelHead);
        Assert.Equal(
            ["lm_head.bias", "lm_head.dense.bias", "lm_head.dense.weight", "lm_head.layer_norm.bias", "lm_head.layer_norm.weight"],
            model.InitializedKeys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FromFolder_OfBert_SaysWhetherThePoolerIsDrawn(bool hasPooler)
    {
        Bert();
        Change(
            weights => weights.Where(weight => !weight.Key.Contains("pooler", StringComparison.Ordinal))
                .Concat(hasPooler ? [new("bert.pooler.dense.weight", zeros(PoolerSize, PoolerSize, device: CPU)), new("bert.pooler.dense.bias", zeros(PoolerSize, device: CPU))] : []),
            write: false);

        var model = PretrainedModel.FromFolder(_folder.FullName);

        Assert.Equal(hasPooler ? [] : ["bert.pooler.dense.bias", "bert.pooler.dense.weight"], model.InitializedKeys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void FromFolder_ConfigThatDisagreesWithWeights_NamesMissingAndMisshapenInOneMessage()
    {
        TinyCheckpoint.Write(_folder.FullName);
        var config = File.ReadAllText(_folder.File("config.json"));
        // One layer more, and another vocabulary.
        _folder.Write("config.json", config.Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3").Replace("\"vocab_size\": 261", "\"vocab_size\": 300"));

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));

        Assert.Contains("16 keys missing (roberta.encoder.layer.2.", error.Message, StringComparison.Ordinal);
        Assert.Contains("with another shape: roberta.embeddings.word_embeddings.weight is (261, 32), config.json says (300, 32)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_TokenizerLargerThanTheEmbedding_SaysBothSizes()
    {
        TinyCheckpoint.Write(_folder.FullName);
        var config = File.ReadAllText(_folder.File("config.json"));
        _folder.Write("config.json", config.Replace("\"vocab_size\": 261", "\"vocab_size\": 200"));

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));

        Assert.Contains("the tokenizer has 261 entries, config.json says vocab_size 200", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_TokenTypesThatTheEmbeddingLacks_SaysBoth()
    {
        Bert();
        _folder.Write("config.json", File.ReadAllText(_folder.File("config.json")).Replace("\"type_vocab_size\": 2", "\"type_vocab_size\": 1"));
        Change(weights => weights.Select(weight => weight.Key == "bert.embeddings.token_type_embeddings.weight"
            ? KeyValuePair.Create(weight.Key, weight.Value.narrow(0, 0, 1).clone())
            : weight), write: false);

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));

        Assert.Contains("token type 1, config.json says type_vocab_size 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_AbsentFolder_SaysWhatBelongsThere()
    {
        var error = Assert.Throws<DirectoryNotFoundException>(() => PretrainedModel.FromFolder(_folder.File("absent")));
        Assert.Contains("config.json, model.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_WithoutWeights_SaysSo()
    {
        TinyCheckpoint.Write(_folder.FullName);
        File.Delete(_folder.File("model.safetensors"));

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));
        Assert.Contains("there is no model.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_WithAPickleAlone_SaysHowToConvertIt()
    {
        TinyCheckpoint.Write(_folder.FullName);
        File.Move(_folder.File("model.safetensors"), _folder.File("pytorch_model.bin"));

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));
        Assert.Contains("save_file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromFolder_UnknownModelType_ListsTheKnown()
    {
        TinyCheckpoint.Write(_folder.FullName);
        _folder.Write("config.json", File.ReadAllText(_folder.File("config.json")).Replace("\"roberta\"", "\"gpt9\""));

        var error = Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName));
        Assert.Contains("gpt9", error.Message, StringComparison.Ordinal);
        Assert.Contains("roberta", error.Message, StringComparison.Ordinal);
        Assert.Contains("bert", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json", "initializer_range")]
    [InlineData("tokenizer_config.json", "model_max_length")]
    public void ContentHash_OfAChangedFile_IsAnother(string file, string key)
    {
        var before = Open().ContentHash;
        var text = File.ReadAllText(_folder.File(file));
        _folder.Write(file, System.Text.RegularExpressions.Regex.Replace(text, $"\"{key}\": *[0-9.]+", $"\"{key}\": 0.5"));
        if (file.StartsWith("tokenizer", StringComparison.Ordinal)) _folder.Write(file, text.Replace("62", "60"));

        Assert.NotEqual(before, PretrainedModel.FromFolder(_folder.FullName).ContentHash);
    }

    [Fact]
    public void ContentHash_OfOneChangedWeight_IsAnother()
    {
        var before = Open().ContentHash;
        using (var file = new FileStream(_folder.File("model.safetensors"), FileMode.Open))
        {
            file.Position = file.Length - 1;
            var last = file.ReadByte();
            file.Position = file.Length - 1;
            file.WriteByte((byte)(last ^ 1));
        }

        Assert.NotEqual(before, PretrainedModel.FromFolder(_folder.FullName).ContentHash);
    }

    [Fact]
    public void ContentHash_OfFilesInAnotherLayout_IsTheSame()
    {
        var before = Open().ContentHash;
        using (var scope = NewDisposeScope())
        {
            using var checkpoint = Checkpoint.Open(_folder.File("model.safetensors"));
            foreach (var half in checkpoint.Entries.Keys.GroupBy(key => key.Length % 2))
                SafetensorsWriter.Write(_folder.File($"half-{half.Key}.safetensors"), [.. half.Select(key => KeyValuePair.Create(key, checkpoint.Read(key)))]);
            var map = checkpoint.Entries.Keys.Select(key => $"\"{key}\":\"half-{key.Length % 2}.safetensors\"");
            _folder.Write("model.safetensors.index.json", $"{{\"weight_map\":{{{string.Join(',', map)}}}}}");
        }
        File.Delete(_folder.File("model.safetensors"));

        Assert.Equal(before, PretrainedModel.FromFolder(_folder.FullName).ContentHash);
    }

    [Fact]
    public void ContentHash_OfAFileThatIsBackAfterAFailure_IsComputed()
    {
        var model = Open();
        File.Move(_folder.File("model.safetensors"), _folder.File("away"));
        Assert.Throws<InvalidDataException>(() => model.ContentHash);
        File.Move(_folder.File("away"), _folder.File("model.safetensors"));

        Assert.Equal(PretrainedModel.FromFolder(_folder.FullName).ContentHash, model.ContentHash);
    }

    [Fact]
    public void WriteWeights_OfAFolderThatChanged_RefusesAndWritesNothing()
    {
        var model = Open();
        _ = model.ContentHash;
        TinyCheckpoint.Write(_folder.FullName, seed: 2);
        using var written = new MemoryStream();

        var error = Assert.Throws<InvalidDataException>(() => model.WriteWeights(written));

        Assert.StartsWith($"{_folder.FullName}: the checkpoint has changed", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, written.Length);
    }

    [Fact]
    public void ContentHash_OfAResavedCheckpoint_IsTheSame()
    {
        var model = Open();
        Change(weights => weights.Reverse());
        var again = PretrainedModel.FromFolder(_folder.FullName);

        Assert.Equal(model.ContentHash, again.ContentHash);
        Assert.Matches("^[0-9a-f]{64}$", model.ContentHash);
    }

    [Fact]
    public void ContentHash_OfRandomWeights_IsNotTheCheckpoints()
    {
        var model = Open();
        Assert.NotEqual(model.ContentHash, model.WithRandomWeights().ContentHash);
        Assert.False(model.WithRandomWeights().HasWeights);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void EmbeddedModel_OfWrittenWeights_HasTheFoldersHashAndGivesTheSameBytes(ScalarType dataType)
    {
        TinyCheckpoint.Write(_folder.FullName, dataType: dataType);
        var model = PretrainedModel.FromFolder(_folder.FullName);
        using var written = new MemoryStream();
        model.WriteWeights(written);
        written.Position = 0;

        using var embedded = EmbeddedModel.Read("again", EncoderConfig.Parse(System.Text.Encoding.UTF8.GetBytes(model.Config.ToJson()), "config"), model.Tokenizer, model.Card, written);

        Assert.Equal(model.ContentHash, embedded.Model.ContentHash);
        Assert.Equal(SHA256.HashData(written.ToArray()), HashOfWeights(embedded.Model));
        embedded.Model.ShareWeightsOn(CPU);
        Assert.Equal(SHA256.HashData(written.ToArray()), HashOfWeights(embedded.Model));
    }

    [Fact]
    public void Acquire_OfNaNWeights_NamesTheParameter()
    {
        TinyCheckpoint.Write(_folder.FullName);
        Change(weights =>
        {
            var all = weights.ToList();
            all.Single(weight => weight.Key == "roberta.encoder.layer.1.output.dense.bias").Value[3] = double.NaN;
            return all;
        });
        var model = PretrainedModel.FromFolder(_folder.FullName);

        var error = Assert.Throws<InvalidDataException>(() => SharedWeights.Acquire(model, CPU));
        Assert.StartsWith(_folder.File("model.safetensors"), error.Message, StringComparison.Ordinal);
        Assert.Contains("1 of the 32 values of tensor 'roberta.encoder.layer.1.output.dense.bias'", error.Message, StringComparison.Ordinal);
    }

    // A folder with BERT's configuration, weights and a vocabulary of made-up words.
    private void Bert()
    {
        var folder = SharedData.Path("bert-tiny-parity");
        foreach (var file in new[] { "config.json", "model.safetensors" }) File.Copy(Path.Combine(folder, file), _folder.File(file));
        var words = Enumerable.Range(0, EncoderConfig.FromFile(_folder.File("config.json")).VocabularySize - 5).Select(n => $"w{n}");
        _folder.Write("vocab.txt", string.Join('\n', ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. words]) + "\n");
    }

    private PretrainedModel Open() => PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName));

    private const int PoolerSize = 64;

    /// <summary>Rewrites the checkpoint's weights.</summary>
    private void Change(Func<IEnumerable<KeyValuePair<string, Tensor>>, IEnumerable<KeyValuePair<string, Tensor>>> change, bool write = true)
    {
        using var scope = NewDisposeScope();
        if (write && !File.Exists(_folder.File("model.safetensors"))) TinyCheckpoint.Write(_folder.FullName);
        List<KeyValuePair<string, Tensor>> weights;
        using (var checkpoint = Checkpoint.Open(_folder.FullName))
            weights = [.. checkpoint.Entries.Keys.Select(key => KeyValuePair.Create(key, checkpoint.Read(key)))];
        SafetensorsWriter.Write(_folder.File("model.safetensors"), [.. change(weights)]);
    }

    private static byte[] HashOfWeights(PretrainedModel model)
    {
        using var stream = new MemoryStream();
        model.WriteWeights(stream);
        return SHA256.HashData(stream.ToArray());
    }
}
