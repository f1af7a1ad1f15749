using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.TextClassification;

/// <summary>Saved classifiers: what a file holds, what comes back, and what damage does.</summary>
[Collection(ProcessWide.Name)]
public class ClassifierFileTests : IDisposable
{
    // 3 embeddings, 2 of their norm, 2 layers of 6 linear maps and 2 norms with weight and bias.
    private const int ParametersOfTheEncoder = 3 + 2 + 2 * 8 * 2;

    private static readonly CapitalRow[] Probe = CapitalTask.Rows(6, seed: 2);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FineTuningMethod.Lora, BaseStorage.Embedded)]
    [InlineData(FineTuningMethod.Lora, BaseStorage.Reference)]
    [InlineData(FineTuningMethod.Full, BaseStorage.Embedded)]
    [InlineData(FineTuningMethod.Full, BaseStorage.Reference)]
    [InlineData(FineTuningMethod.Full, BaseStorage.TunedOnly)]
    public void Load_InAFreshContext_ScoresTheSameAndResavesTheSame(FineTuningMethod method, BaseStorage storage)
    {
        using var trained = Fit(method, Options(storage));
        using var loaded = Load(Save(trained, "model.mlnet"));

        Assert.Equal(CapitalTask.Scores(trained, Probe), CapitalTask.Scores(loaded, Probe));
        Assert.Equal(trained.ClassNames, loaded.ClassNames);
        Assert.Equal(JsonSerializer.Serialize(trained.TrainingReport), JsonSerializer.Serialize(loaded.TrainingReport));
        Assert.Equal(trained.Lora?.Scaling, loaded.Lora?.Scaling);
        Assert.Equal(trained.BaseModel.ContentHash, loaded.BaseModel.ContentHash);

        Save(loaded, "again.mlnet");
        Assert.Equal(Contents("model.mlnet"), Contents("again.mlnet"));
    }

    [Fact]
    public void Load_KnowsHowTheAdapterBegan()
    {
        var lora = new LoraOptions { Rank = 3, Alpha = 5, Dropout = 0.1, Initialization = LoraInitialization.Gaussian, FreezesA = true };
        using var trained = CapitalTask.Fit(options: Options(BaseStorage.Embedded) with { MaxEpochs = 1, Lora = lora });
        using var loaded = Load(Save(trained, "model.mlnet"));

        Assert.Equal(lora with { TargetModules = loaded.Lora!.TargetModules }, loaded.Lora);
        Assert.Equal(lora.TargetModules, loaded.Lora.TargetModules);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, BaseStorage.Embedded, true)]
    [InlineData(FineTuningMethod.Lora, BaseStorage.Reference, false)]
    [InlineData(FineTuningMethod.Full, BaseStorage.Embedded, true)]
    [InlineData(FineTuningMethod.Full, BaseStorage.TunedOnly, false)]
    public void Save_HoldsTheBaseOnlyWhenEmbedded_AndStoresEntriesPlain(FineTuningMethod method, BaseStorage storage, bool hasBase)
    {
        using var trained = Fit(method, Options(storage));
        Save(trained, "model.mlnet");

        using var zip = ZipFile.OpenRead(_folder.File("model.mlnet"));
        var entries = zip.Entries.Where(Ours).ToList();
        string[] expected =
        [
            "classifier.json", "config.json", "labels.bin", "tokenizer.merges.txt", "tokenizer.tokenizer_config.json", "tokenizer.vocab.json",
            "training.json", "tuned.safetensors", .. hasBase ? ["base.safetensors"] : Array.Empty<string>(),
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.All(entries, entry => Assert.Equal(entry.Length, entry.CompressedLength));

        var tuned = Keys(entries.Single(entry => entry.Name == "tuned.safetensors"));
        Assert.Equal(method is FineTuningMethod.Lora, tuned.All(key => LoraProjections.IsAdapterKey(key) || key.StartsWith("classifier.", StringComparison.Ordinal)));
        Assert.Equal(CapitalTask.ParameterCount(method) - (method is FineTuningMethod.Lora ? ParametersOfTheEncoder : 0), tuned.Length);
        if (!hasBase) return;
        var kept = Keys(entries.Single(entry => entry.Name == "base.safetensors"));
        Assert.Contains("lm_head.dense.weight", kept);
        Assert.Contains("lm_head.bias", kept);
        Assert.DoesNotContain(kept, key => key.StartsWith("classifier.", StringComparison.Ordinal));
    }

    [Fact]
    public void Resave_OfABFloat16Base_KeepsItsBytes()
    {
        var source = Directory.CreateDirectory(_folder.File("base")).FullName;
        var model = PretrainedModel.FromFolder(TinyCheckpoint.Write(source, dataType: ScalarType.BFloat16));
        using var trained = CapitalTask.Fit(options: Options(BaseStorage.Embedded), model: model);
        using var loaded = Load(Save(trained, "model.mlnet"));
        using var full = CapitalTask.Fit(FineTuningMethod.Full, Options(BaseStorage.Embedded), model: model);
        using var fullLoaded = Load(Save(full, "full.mlnet"));
        Save(loaded, "again.mlnet");
        Save(fullLoaded, "full-again.mlnet");

        Assert.Equal(model.ContentHash, loaded.BaseModel.ContentHash);
        Assert.Equal(Contents("model.mlnet")["base.safetensors"], Contents("again.mlnet")["base.safetensors"]);
        Assert.Equal(Contents("full.mlnet")["base.safetensors"], Contents("full-again.mlnet")["base.safetensors"]);
        Assert.Equal(Contents("model.mlnet")["base.safetensors"], Contents("full.mlnet")["base.safetensors"]);
    }

    [Fact]
    public void Load_AdapterOnRandomWeights_ScoresTheSame()
    {
        using var trained = CapitalTask.Fit(options: Options(BaseStorage.Embedded), model: CapitalTask.Base.WithRandomWeights());
        using var loaded = Load(Save(trained, "model.mlnet"));

        Assert.Equal(CapitalTask.Scores(trained, Probe), CapitalTask.Scores(loaded, Probe));
        Assert.False(loaded.BaseModel.HasWeights);
    }

    [Fact]
    public void Load_InAChain_NeedsNothingButTheFile()
    {
        var ml = new MLContext(1);
        var data = CapitalTask.View(ml, CapitalTask.Rows(64));
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(CapitalTask.Trainer(ml, options: Options(BaseStorage.Embedded)))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using var trained = pipeline.Fit(data);
        ml.Model.Save(trained, data.Schema, _folder.File("chain.mlnet"));

        var fresh = new MLContext();
        var loaded = fresh.Model.Load(_folder.File("chain.mlnet"), out var schema);

        Assert.Equal(["Label", "Sentence1", "Sentence2"], schema.Select(column => column.Name));
        Assert.Equal(Predicted(ml, trained), Predicted(fresh, loaded));
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public async Task Load_InAFreshProcess_ScoresTheSame()
    {
        using var trained = Fit(FineTuningMethod.Lora, Options(BaseStorage.Embedded));
        Save(trained, "model.mlnet");
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { "exec", typeof(FreshProcess).Assembly.Location, "-explicit", "only", "-class", typeof(FreshProcess).FullName! })
            start.ArgumentList.Add(argument);
        start.Environment[FreshProcess.ModelVariable] = _folder.File("model.mlnet");

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, await output);
        var scores = JsonSerializer.Deserialize<float[][]>(await File.ReadAllTextAsync(_folder.File("model.mlnet.scores"), TestContext.Current.CancellationToken));
        Assert.Equal(CapitalTask.Scores(trained, FreshProcess.Rows), scores);
    }

    [Fact]
    public void Load_ReferredBaseAbsent_SaysWhereItLooked_AndFindsItOnTheSearchPath()
    {
        var place = Directory.CreateDirectory(_folder.File("here")).FullName;
        var source = Directory.CreateDirectory(Path.Combine(place, "tiny-base")).FullName;
        using (var trained = CapitalTask.Fit(options: Options(BaseStorage.Reference), model: PretrainedModel.FromFolder(TinyCheckpoint.Write(source))))
            Save(trained, "model.mlnet");
        var moved = Directory.CreateDirectory(_folder.File("there")).FullName;
        Directory.Move(source, Path.Combine(moved, "tiny-base"));

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));
        Assert.Contains(source, error.ToString(), StringComparison.Ordinal);
        Assert.Contains(ReferredBase.SearchVariable, error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);

        Environment.SetEnvironmentVariable(ReferredBase.SearchVariable, _folder.File("nowhere") + Path.PathSeparator + moved);
        try
        {
            using var loaded = Load(_folder.File("model.mlnet"));
            Assert.Equal(Path.Combine(moved, "tiny-base"), loaded.BaseModel.Folder);
        }
        finally
        {
            Environment.SetEnvironmentVariable(ReferredBase.SearchVariable, null);
        }
    }

    [Fact]
    public void Load_ReferredBaseChanged_SaysSo()
    {
        var source = Directory.CreateDirectory(_folder.File("tiny-base")).FullName;
        using (var trained = CapitalTask.Fit(options: Options(BaseStorage.Reference), model: PretrainedModel.FromFolder(TinyCheckpoint.Write(source))))
            Save(trained, "model.mlnet");
        TinyCheckpoint.Write(source, seed: 2);

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));

        Assert.Contains("not the base that the model was trained from", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ReferredBaseChangedWhereItWas_TakesTheRightCopyFromTheSearchPath()
    {
        var source = Directory.CreateDirectory(_folder.File("tiny-base")).FullName;
        var wrong = Directory.CreateDirectory(_folder.File("wrong/tiny-base")).FullName;
        var right = Directory.CreateDirectory(_folder.File("right/tiny-base")).FullName;
        using (var trained = CapitalTask.Fit(options: Options(BaseStorage.Reference), model: PretrainedModel.FromFolder(TinyCheckpoint.Write(source))))
            Save(trained, "model.mlnet");
        TinyCheckpoint.Write(right);
        TinyCheckpoint.Write(source, seed: 2);
        TinyCheckpoint.Write(wrong, seed: 3);
        var places = string.Join(Path.PathSeparator, _folder.File("nowhere"), _folder.File("wrong"), _folder.File("right"));

        Assert.Equal(right, WithSearchPath(places, () =>
        {
            using var loaded = Load(_folder.File("model.mlnet"));
            return loaded.BaseModel.Folder;
        }));

        File.Delete(Path.Combine(right, "config.json"));
        var error = WithSearchPath(places, () => Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")))).GetBaseException().Message;
        Assert.Contains($"{_folder.File("nowhere/tiny-base")}: no such folder", error, StringComparison.Ordinal);
        Assert.Contains($"{wrong}: not the base", error, StringComparison.Ordinal);
        Assert.Contains($"{right}: cannot be opened", error, StringComparison.Ordinal);
        Assert.Contains($"{source}: not the base", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("//server/share/base")]
    [InlineData(@"\\\\server\\share\\base")]
    [InlineData("tiny-base")]
    [InlineData("./tiny-base")]
    public void Load_ReferredFolderOnAnotherMachineOrRelative_IsNotOpened(string folder)
    {
        var source = Directory.CreateDirectory(_folder.File("tiny-base")).FullName;
        using (var trained = CapitalTask.Fit(options: Options(BaseStorage.Reference), model: PretrainedModel.FromFolder(TinyCheckpoint.Write(source))))
            Save(trained, "model.mlnet");
        Edit("model.mlnet", "classifier.json", $"\"folder\": {JsonSerializer.Serialize(source)}", $"\"folder\": \"{folder}\"");

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));

        Assert.Contains("not a full path on this machine, not opened", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BaseStorage.Embedded)]
    [InlineData(BaseStorage.Reference)]
    public void Save_BaseFolderChangedSinceTheFit_RefusesBeforeTheFirstEntry(BaseStorage storage)
    {
        var source = Directory.CreateDirectory(_folder.File("tiny-base")).FullName;
        using var trained = CapitalTask.Fit(options: Options(storage), model: PretrainedModel.FromFolder(TinyCheckpoint.Write(source)));
        TinyCheckpoint.Write(source, seed: 2);

        using var written = new MemoryStream();
        var error = Assert.ThrowsAny<Exception>(() => new MLContext().Model.Save(trained, null, written));

        Assert.Contains("has changed since it was first read", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("classifier.json", System.Text.Encoding.Latin1.GetString(written.ToArray()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Load_EmbeddedBaseOfAnotherModel_IsRefused(FineTuningMethod method)
    {
        var other = Directory.CreateDirectory(_folder.File("other")).FullName;
        using (var trained = Fit(method, Options(BaseStorage.Embedded))) Save(trained, "model.mlnet");
        using var swapped = new MemoryStream();
        PretrainedModel.FromFolder(TinyCheckpoint.Write(other, seed: 2)).WriteWeights(swapped);
        Replace("model.mlnet", "base.safetensors", swapped.ToArray());

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));

        Assert.Contains("is not the one that the model was trained from", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora, "roberta.embeddings.LayerNorm.bias", "it belongs to the base")]
    [InlineData(FineTuningMethod.Lora, "lm_head.bias", "nothing in the network takes")]
    [InlineData(FineTuningMethod.Lora, "classifier.spare.weight", "nothing in the network takes")]
    [InlineData(FineTuningMethod.Lora, "roberta.encoder.layer.9.attention.self.query.lora_A.weight", "nothing in the network takes")]
    [InlineData(FineTuningMethod.Full, "lm_head.bias", "nothing in the network takes")]
    [InlineData(FineTuningMethod.Full, "roberta.encoder.layer.0.attention.self.query.lora_A.weight", "nothing in the network takes")]
    public void Load_TunedWeightThatNoFitMakes_IsRefused(FineTuningMethod method, string key, string expected)
    {
        using (var trained = Fit(method, Options(BaseStorage.Embedded)))
        {
            Save(trained, "model.mlnet");
            using var value = zeros(32);
            var tuned = Tuned("model.mlnet");
            tuned.Add(key, value);
            using var changed = new MemoryStream();
            SafetensorsWriter.Write(changed, [.. tuned]);
            foreach (var tensor in tuned.Values) tensor.Dispose();
            Replace("model.mlnet", "tuned.safetensors", changed.ToArray());
        }

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));

        Assert.Contains($"hold {key}: {expected}", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Fact]
    public void Load_TunedOnly_AsksForTheBaseByNameWhereItIsNeeded()
    {
        using var trained = Fit(FineTuningMethod.Full, Options(BaseStorage.TunedOnly));
        using var loaded = Load(Save(trained, "model.mlnet"));

        var error = Assert.Throws<InvalidOperationException>(() => loaded.BaseModel.WriteWeights(Stream.Null));

        Assert.Contains($"'{CapitalTask.Base.Name}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FineTuningMethod.Lora)]
    [InlineData(FineTuningMethod.Full)]
    public void Load_OfADamagedFile_ThrowsAndHoldsNothing(FineTuningMethod method)
    {
        using (var trained = Fit(method, Options(BaseStorage.Embedded))) Save(trained, "model.mlnet");
        var bytes = File.ReadAllBytes(_folder.File("model.mlnet"));
        var random = new Random(7);
        List<(string Name, long Start, long Length)> entries;
        using (var zip = ZipFile.OpenRead(_folder.File("model.mlnet")))
        {
            entries = [.. zip.Entries.Where(Ours).Select(entry => (entry.Name, Offset(bytes, entry), entry.Length))];
        }
        Assert.Equal(9, entries.Count);
        var before = LiveTensors.Settled();
        _ = PretrainedModel.FromFolder(CapitalTask.Base.Folder!);
        var parametersOfOpening = LiveTensors.Settled() - before;
        before = LiveTensors.Settled();

        foreach (var (name, start, length) in entries)
        {
            for (var trial = 0; trial < 2; trial++)
            {
                var damaged = (byte[])bytes.Clone();
                damaged[start + random.NextInt64(length)] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(_folder.File("damaged.mlnet"), damaged);
                var error = Record.Exception(() => Load(_folder.File("damaged.mlnet")).Dispose());
                Assert.True(error is not null, $"{name}, trial {trial}: loaded");
            }
        }
        foreach (var share in new[] { 0.0, 0.2, 0.5, 0.9, 0.999 })
        {
            File.WriteAllBytes(_folder.File("damaged.mlnet"), bytes[..(int)(bytes.Length * share)]);
            Assert.NotNull(Record.Exception(() => Load(_folder.File("damaged.mlnet")).Dispose()));
        }
        // Where the tuned weights are damaged, both trials have opened the base before.
        Assert.Equal(before + 2 * parametersOfOpening, LiveTensors.Now);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    [Theory]
    [InlineData("\"batch_size\": 16", "\"batch_size\": 2147483647", "batch size")]
    [InlineData("\"max_tokens\": 62", "\"max_tokens\": 100000", "token limit")]
    [InlineData("\"rank\": 4", "\"rank\": 33", "Lora.Rank is 33")]
    [InlineData("\"rank\": 4", "\"rank\": 3", "lora_A.weight")]
    [InlineData("\"storage\": \"Embedded\"", "\"storage\": \"TunedOnly\"", "an adapter has no base")]
    [InlineData("\"storage\": \"Embedded\"", "\"storage\": 7", "the base storage is 7")]
    [InlineData("\"content_hash\": \"", "\"content_hash\": \"x", "content hash is 'x")]
    [InlineData("\"component\": \"LoraTextClassification\"", "\"component\": \"\"", "column name is empty")]
    [InlineData("\"score_column_name\": \"Score\"", "\"sentence2_column_name\": \" \", \"score_column_name\": \"Score\"", "column name is empty")]
    [InlineData("\"output_column_name\": \"PredictedLabel\"", "\"output_column_name\": \"Score\"", "both 'Score'")]
    [InlineData("\"full_learning_rate\": 1E-05", "\"full_learning_rate\": \"NaN\"", "full_learning_rate is NaN")]
    [InlineData("\"full_learning_rate\": 1E-05", "\"full_learning_rate\": -1", "full_learning_rate is -1")]
    [InlineData("\"full_learning_rate\": 1E-05", "\"full_learning_rate\": 1E+30", "full_learning_rate is 1E+30")]
    [InlineData("\"target_modules\": [\n      \"all-linear\"", "\"target_modules\": [\n      \"query\"", "nothing in the network takes")]
    public void Load_OfAHeaderThatWasEdited_SaysWhatIsWrong(string found, string changed, string expected)
    {
        using (var trained = Fit(FineTuningMethod.Lora, Options(BaseStorage.Embedded))) Save(trained, "model.mlnet");
        Edit("model.mlnet", "classifier.json", found, changed);

        var error = Assert.ThrowsAny<Exception>(() => Load(_folder.File("model.mlnet")));

        Assert.Contains(expected, error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, SharedWeights.HeldCount);
    }

    private static TextClassificationOptions Options(BaseStorage storage) =>
        CapitalTask.Options with { MaxEpochs = 1, BaseStorage = storage };

    private static TextClassificationTransformer Fit(FineTuningMethod method, TextClassificationOptions options) => CapitalTask.Fit(method, options);

    private string Save(ITransformer model, string name)
    {
        new MLContext().Model.Save(model, null, _folder.File(name));
        return _folder.File(name);
    }

    private static TextClassificationTransformer Load(string path) => (TextClassificationTransformer)new MLContext().Model.Load(path, out _);

    private static string[] Predicted(MLContext ml, ITransformer model) =>
        [.. Microsoft.ML.Data.ColumnCursorExtensions.GetColumn<string>(model.Transform(CapitalTask.View(ml, Probe)), "PredictedLabel")];

    private static bool Ours(ZipArchiveEntry entry) =>
        entry.Name is "classifier.json" or "labels.bin" or "training.json" or "config.json" || entry.Name.StartsWith("tokenizer.", StringComparison.Ordinal)
        || entry.Name.EndsWith(".safetensors", StringComparison.Ordinal);

    private static string[] Keys(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        copy.Position = 0;
        using var checkpoint = Checkpoint.Open(copy, entry.Name);
        return [.. checkpoint.Entries.Keys];
    }

    private Dictionary<string, string> Contents(string name)
    {
        using var zip = ZipFile.OpenRead(_folder.File(name));
        return zip.Entries.Where(Ours).ToDictionary(entry => entry.Name, entry =>
        {
            using var stream = entry.Open();
            return Convert.ToHexString(SHA256.HashData(stream));
        });
    }

    // Stored entries lie in the file as they are.
    private static long Offset(byte[] zip, ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        var content = new byte[entry.Length];
        stream.ReadExactly(content);
        return zip.AsSpan().IndexOf(content);
    }

    private static T WithSearchPath<T>(string places, Func<T> action)
    {
        Environment.SetEnvironmentVariable(ReferredBase.SearchVariable, places);
        try
        {
            return action();
        }
        finally
        {
            Environment.SetEnvironmentVariable(ReferredBase.SearchVariable, null);
        }
    }

    private Dictionary<string, Tensor> Tuned(string name)
    {
        using var zip = ZipFile.OpenRead(_folder.File(name));
        using var stream = zip.Entries.Single(entry => entry.Name == "tuned.safetensors").Open();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        copy.Position = 0;
        using var checkpoint = Checkpoint.Open(copy, name);
        return checkpoint.Entries.Keys.ToDictionary(key => key, key => checkpoint.Read(key));
    }

    private void Replace(string name, string entryName, byte[] content)
    {
        using var zip = ZipFile.Open(_folder.File(name), ZipArchiveMode.Update);
        var entry = zip.Entries.Single(entry => entry.Name == entryName);
        var path = entry.FullName;
        entry.Delete();
        using var stream = zip.CreateEntry(path, CompressionLevel.NoCompression).Open();
        stream.Write(content);
    }

    private void Edit(string name, string entryName, string found, string changed)
    {
        using var zip = ZipFile.Open(_folder.File(name), ZipArchiveMode.Update);
        var entry = zip.Entries.Single(entry => entry.Name == entryName);
        string text;
        using (var reader = new StreamReader(entry.Open())) text = reader.ReadToEnd();
        Assert.Contains(found, text, StringComparison.Ordinal);
        var path = entry.FullName;
        entry.Delete();
        using var writer = new StreamWriter(zip.CreateEntry(path, CompressionLevel.NoCompression).Open());
        writer.Write(text.Replace(found, changed, StringComparison.Ordinal));
    }
}

/// <summary>What another process does with a saved model: run by the test above, in a process of its own.</summary>
public class FreshProcess
{
    internal const string ModelVariable = "MLNETLORA_TEST_MODEL";

    internal static CapitalRow[] Rows => CapitalTask.Rows(4, seed: 9);

    [Fact(Explicit = true)]
    public void Score()
    {
        var path = Environment.GetEnvironmentVariable(ModelVariable);
        Assert.SkipWhen(path is null, "Started by Load_InAFreshProcess_ScoresTheSame, which names the model.");
        var ml = new MLContext();
        var model = ml.Model.Load(path, out _);
        var scored = model.Transform(CapitalTask.View(ml, Rows));
        File.WriteAllText(path + ".scores", JsonSerializer.Serialize(Microsoft.ML.Data.ColumnCursorExtensions.GetColumn<float[]>(scored, "Score").ToArray()));
    }
}
