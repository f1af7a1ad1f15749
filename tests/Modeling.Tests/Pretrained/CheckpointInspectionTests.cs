using System.Text.Json.Nodes;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Pretrained;

public class CheckpointInspectionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OfFolder_SoundCheckpoint_CountsWhatItHolds()
    {
        TinyCheckpoint.Write(_folder.FullName, dataType: ScalarType.BFloat16, labels: ["no", "yes"]);

        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.Empty(inspection.Problems);
        Assert.Empty(inspection.Notes);
        Assert.True(inspection.IsUsable);
        var contents = inspection.Contents!;
        // Width 32, 64 inside, two layers, 261 tokens, 64 positions, one token type.
        const int Embeddings = (261 + 64 + 1) * 32 + 2 * 32;
        const int Layer = 4 * (32 * 32 + 32) + 2 * 32 * 64 + 64 + 32 + 4 * 32;
        const int LanguageModel = 32 * 32 + 32 + 2 * 32 + 261;
        const int Classifier = 32 * 32 + 32 + 2 * 32 + 2;
        Assert.Equal((Embeddings, 2 * Layer, LanguageModel + Classifier), (contents.EmbeddingParameters, contents.EncoderParameters, contents.HeadParameters));
        Assert.Equal(Embeddings + 2 * Layer + LanguageModel + Classifier, contents.ParameterCount);
        Assert.Equal([new StoredType("BF16", 46, contents.ParameterCount, 2 * contents.ParameterCount)], contents.DataTypes);
        Assert.True(contents.HasLanguageModelHead);
        Assert.Equal(2, contents.ClassificationHead!.ClassCount);
        Assert.Equal(["no", "yes"], contents.ClassificationHead.LabelNames);
        Assert.Equal([Checkpoint.FileName], inspection.WeightFiles);
        Assert.Equal("byte-level BPE", inspection.Tokenizer!.Kind);
    }

    [Fact]
    public void OfFolder_SoundCheckpoint_SaysWhatFromFolderSays()
    {
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(_folder.FullName, labels: ["no", "yes"]));
        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.Equal(model.Config.ToJson(), inspection.Config!.ToJson());
        Assert.Equal(model.Card, inspection.Card);
        Assert.Equal(model.Contents.ParameterCount, inspection.Contents!.ParameterCount);
        Assert.Equal(model.Contents.ClassificationHead!.LabelNames, inspection.Contents.ClassificationHead!.LabelNames);
    }

    [Fact]
    public void OfFolder_EverythingWrong_NamesEveryFault()
    {
        _folder.Write("config.json", """{"model_type": "camembert"}""");
        _folder.Write("vocab.txt", "a\nb\n");
        _folder.Write("fine_tuning.json", "{");
        _folder.Write("pytorch_model.bin", "");

        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.False(inspection.IsUsable);
        Assert.Collection(inspection.Problems,
            problem => Assert.Contains("model_type is 'camembert'; supported are roberta", problem, StringComparison.Ordinal),
            problem => Assert.Contains("special tokens [PAD]", problem, StringComparison.Ordinal),
            problem => Assert.Contains("not a fine-tuning card", problem, StringComparison.Ordinal),
            problem => Assert.Contains("a Python pickle", problem, StringComparison.Ordinal));
        Assert.Equal((null, null, null, null), (inspection.Config, inspection.Tokenizer, inspection.Card, inspection.Contents));
    }

    [Fact]
    public void OfFolder_EmptyFolder_NamesWhatIsMissing()
    {
        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.Collection(inspection.Problems,
            problem => Assert.Contains("config.json: there is no such file", problem, StringComparison.Ordinal),
            problem => Assert.Contains("no tokenizer here", problem, StringComparison.Ordinal),
            problem => Assert.Contains("there is no model.safetensors", problem, StringComparison.Ordinal));
    }

    [Fact]
    public void OfFolder_PartsThatContradictEachOther_NamesEveryContradiction()
    {
        TinyCheckpoint.Write(_folder.FullName);
        Config(json => (json["vocab_size"], json["pad_token_id"], json["num_hidden_layers"]) = (200, 0, 3));

        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.Collection(inspection.Problems,
            problem => Assert.Contains(
                "16 keys missing (roberta.encoder.layer.2.attention.self.query.weight, …), 2 with another shape: roberta.embeddings.word_embeddings.weight is (261, 32)",
                problem, StringComparison.Ordinal),
            problem => Assert.Contains("the tokenizer has 261 entries, config.json says vocab_size 200", problem, StringComparison.Ordinal),
            problem => Assert.Contains("the tokenizer pads with id 1, config.json says pad_token_id 0", problem, StringComparison.Ordinal));
        foreach (var problem in inspection.Problems.Skip(1))
            Assert.Contains(problem[(problem.IndexOf(':') + 2)..], Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfFolder_FewerLayersThanWeights_IsRefusedAsFromFolderDoes()
    {
        TinyCheckpoint.Write(_folder.FullName);
        Config(json => json["num_hidden_layers"] = 1);

        var problem = Assert.Single(CheckpointInspection.OfFolder(_folder.FullName).Problems);

        Assert.Contains("16 keys that the layers of config.json have no place for (roberta.encoder.layer.1.", problem, StringComparison.Ordinal);
        Assert.Contains("16 keys that the layers", Assert.Throws<InvalidDataException>(() => PretrainedModel.FromFolder(_folder.FullName)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfFolder_UnusedTensorsAndNamelessHead_AreNotes()
    {
        TinyCheckpoint.Write(_folder.FullName, labels: ["no", "yes", "perhaps"]);
        Config(json => json.Remove("id2label"));
        Weights(weights =>
        {
            weights.Remove("lm_head.dense.weight");
            weights.Add("roberta.pooler.dense.bias", zeros(32, device: CPU));
            weights.Add("qa_outputs.bias", zeros(2, device: CPU));
        });

        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.Empty(inspection.Problems);
        Assert.Equal(["qa_outputs.bias", "roberta.pooler.dense.bias"], inspection.Contents!.UnusedKeys);
        Assert.Equal(3, inspection.Contents.ClassificationHead!.ClassCount);
        Assert.Collection(inspection.Notes,
            note => Assert.Contains("no masked-language-model head", note, StringComparison.Ordinal),
            note => Assert.Contains("tells 3 classes apart, id2label does not name them", note, StringComparison.Ordinal),
            note => Assert.Contains("2 tensors are not used: 'qa_outputs.bias', 'roberta.pooler.dense.bias'", note, StringComparison.Ordinal));
    }

    [Fact]
    public void OfFolder_HeadOfAnotherTask_IsNoClassificationHead()
    {
        // A token classifier: one map per token, no pooling map before it.
        TinyCheckpoint.Write(_folder.FullName, change: TinyCheckpoint.Family(ModelFamily.DistilBert), labels: ["B", "I", "O"]);
        Weights(weights =>
        {
            weights.Remove("pre_classifier.weight");
            weights.Remove("pre_classifier.bias");
        });

        var contents = CheckpointInspection.OfFolder(_folder.FullName).Contents!;

        Assert.Null(contents.ClassificationHead);
        Assert.Equal(["classifier.bias", "classifier.weight"], contents.UnusedKeys);
    }

    [Fact]
    public void OfFolder_Discriminator_SaysSoAndIsUsable()
    {
        TinyCheckpoint.Write(_folder.FullName, change: TinyCheckpoint.Family(ModelFamily.Electra));
        Weights(weights =>
        {
            foreach (var key in weights.Keys.Where(key => key.StartsWith("generator_", StringComparison.Ordinal)).ToList()) weights.Remove(key);
            weights.Add("discriminator_predictions.dense.weight", zeros(32, 32, device: CPU));
        });

        var inspection = CheckpointInspection.OfFolder(_folder.FullName);

        Assert.True(inspection.IsUsable);
        Assert.Contains(inspection.Notes, note => note.Contains("ELECTRA discriminator", StringComparison.Ordinal));
        var model = PretrainedModel.FromFolder(_folder.FullName);
        Assert.Contains("this is an ELECTRA discriminator", Assert.Throws<InvalidDataException>(model.RequireLanguageModel).Message, StringComparison.Ordinal);
        Assert.Contains("Use the generator", Assert.Throws<InvalidDataException>(() => CheckpointNetwork.Open(model, CPU)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfFolder_Shards_AreListed()
    {
        TinyCheckpoint.Write(_folder.FullName);
        using (var scope = NewDisposeScope())
        {
            using var checkpoint = Checkpoint.Open(_folder.FullName);
            foreach (var half in checkpoint.Entries.Keys.GroupBy(key => key.Length % 2))
                SafetensorsWriter.Write(_folder.File($"half-{half.Key}.safetensors"), [.. half.Select(key => KeyValuePair.Create(key, checkpoint.Read(key)))]);
            var map = checkpoint.Entries.Keys.Select(key => $"\"{key}\":\"half-{key.Length % 2}.safetensors\"");
            _folder.Write("model.safetensors.index.json", $"{{\"weight_map\":{{{string.Join(',', map)}}}}}");
        }
        File.Delete(_folder.File(Checkpoint.FileName));

        Assert.Equal(["half-0.safetensors", "half-1.safetensors"], CheckpointInspection.OfFolder(_folder.FullName).WeightFiles);
        File.Delete(_folder.File("half-1.safetensors"));
        Assert.Contains("the shard 'half-1.safetensors' is missing", Assert.Single(CheckpointInspection.OfFolder(_folder.FullName).Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void OfMiniEncoder_IsUsableAndWhatThePretrainedModelSays()
    {
        var inspection = CheckpointInspection.OfMiniEncoder();

        Assert.True(inspection.IsUsable);
        Assert.Equal(PretrainedModel.MiniEncoder.Contents.ParameterCount, inspection.Contents!.ParameterCount);
        Assert.Equal(PretrainedModel.MiniEncoder.Card, inspection.Card);
    }

    private void Config(Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(_folder.File("config.json")))!.AsObject();
        change(json);
        _folder.Write("config.json", json.ToJsonString());
    }

    private void Weights(Action<Dictionary<string, Tensor>> change)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> weights;
        using (var checkpoint = Checkpoint.Open(_folder.FullName)) weights = checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
        change(weights);
        SafetensorsWriter.Write(_folder.File(Checkpoint.FileName), [.. weights]);
    }
}
