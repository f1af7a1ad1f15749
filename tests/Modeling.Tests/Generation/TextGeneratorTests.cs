using System.Text.Json;
using MLNetLoRA.Modeling.Tests.Networks;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling.Tests.Generation;

public class TextGeneratorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Generate_Stories_GivesTheReferencesFortyTokens(bool usesCache)
    {
        var folder = SharedData.Path("stories260K");
        using var generator = TextGenerator.Open(folder, CPU);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        var greedy = expected.RootElement.GetProperty("greedy");

        var text = generator.Generate(greedy.GetProperty("prompt").GetString()!, new GenerationOptions { MaxNewTokens = 40, UsesCache = usesCache }, Token);

        Assert.Equal(greedy.GetProperty("ids").Deserialize<int[]>()!, text.PromptIds.Concat(text.Ids));
        Assert.Equal(GenerationEnd.MaxNewTokens, text.End);
        Assert.StartsWith(" little girl named Lily.", text.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_Stories_GivesTheReferencesMeanLosses()
    {
        var folder = SharedData.Path("stories260K");
        using var network = DecoderNetwork.Open(folder, CPU);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        foreach (var name in (string[])["story", "news"])
        {
            using var scope = NewDisposeScope();
            var entry = expected.RootElement.GetProperty(name);
            using var batch = CausalBatch.Create([entry.GetProperty("input_ids").Deserialize<int[]>()!], network.Config, CPU);
            var (logits, _) = network.Forward(batch);
            Assert.Equal(entry.GetProperty("mean_next_token_loss_nats").GetDouble(), NextTokenLoss.Mean(logits, batch.Labels()).item<float>(), 1e-4);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    public void Generate_CachedAndUncached_GiveTheSameIds(string family)
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName, family), CPU);
        var options = new GenerationOptions { MaxNewTokens = 20 };

        var cached = generator.Generate(["zebra", "an elephant 12"], options, Token);
        var uncached = generator.Generate(["zebra", "an elephant 12"], options with { UsesCache = false }, Token);

        Assert.Equal(uncached.Select(text => text.Ids), cached.Select(text => text.Ids));
        Assert.Equal(uncached.Select(text => text.Text), cached.Select(text => text.Text));
    }

    [Fact]
    public void Generate_SeveralPrompts_GivesWhatEachGivesAlone()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        string[] prompts = ["a", "an elephant in the evening", "12"];
        var greedy = new GenerationOptions { MaxNewTokens = 12 };
        var drawn = greedy with { Temperature = 1, TopK = 40, TopP = 0.95, Seed = 5 };

        Assert.Equal(prompts.Select(prompt => generator.Generate(prompt, greedy, Token).Ids), generator.Generate(prompts, greedy, Token).Select(text => text.Ids));
        Assert.Equal(
            prompts.Select((prompt, row) => generator.Generate(prompt, drawn with { Seed = 5 + row }, Token).Ids), generator.Generate(prompts, drawn, Token).Select(text => text.Ids));
        Assert.NotEqual(generator.Generate("a", drawn, Token).Ids, generator.Generate("a", drawn with { Seed = 6 }, Token).Ids);
    }

    [Fact]
    public async Task StreamAsync_PiecesTogether_AreTheText()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        // Random weights give bytes of unfinished characters now and then.
        var options = new GenerationOptions { MaxNewTokens = 60, Temperature = 1, Seed = 3 };

        var pieces = new List<string>();
        await foreach (var piece in generator.StreamAsync("the", options, Token)) pieces.Add(piece);

        Assert.True(pieces.Count > 10);
        Assert.DoesNotContain("", pieces);
        Assert.Equal(generator.Generate("the", options, Token).Text, string.Concat(pieces));
    }

    [Fact]
    public async Task StreamAsync_Cancelled_StopsBetweenTokens()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        using var cancellation = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in generator.StreamAsync("the", new GenerationOptions { MaxNewTokens = 1000 }, cancellation.Token)) await cancellation.CancelAsync();
        });
    }

    [Fact]
    public void Generate_StopString_EndsTheTextBeforeIt()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        var whole = generator.Generate("the", new GenerationOptions { MaxNewTokens = 30, Temperature = 1, Seed = 11 }, Token);
        var stop = whole.Text[4..7];

        var cut = generator.Generate("the", new GenerationOptions { MaxNewTokens = 30, Temperature = 1, Seed = 11, StopStrings = [stop] }, Token);

        Assert.Equal((whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], GenerationEnd.StopString), (cut.Text, cut.End));
    }

    [Fact]
    public void Generate_EndToken_EndsTheText()
    {
        using var folder = new TemporaryFolder();
        var first = 0;
        using (var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU)) first = generator.Generate("the", new GenerationOptions { MaxNewTokens = 1 }, Token).Ids[0];
        using var ending = TextGenerator.Open(TinyDecoder.Write(folder.FullName, change: config => config with { EndTokenIds = [first] }), CPU);

        var text = ending.Generate("the", null, Token);

        Assert.Equal([first], text.Ids);
        Assert.Equal(("", GenerationEnd.EndToken), (text.Text, text.End));
    }

    [Fact]
    public void Generate_PromptThatFillsTheContext_SaysHowLongItIsAndWhatToDo()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        var context = generator.Config.MaxPositions;

        // One token for "<|begin_of_text|>", one for each digit group.
        var error = Assert.Throws<ArgumentException>(() => generator.Generate(string.Concat(Enumerable.Repeat("!\n", context)), null, Token));
        var length = generator.Tokenizer.Encode(string.Concat(Enumerable.Repeat("!\n", context)), null, int.MaxValue).Ids.Length;
        Assert.StartsWith(
            $"The prompt has {length} tokens, and the model's context of {context} has to hold at least one new token too; shorten it by {length - context + 1} tokens",
            error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_FullContext_EndsTheTextAndSaysSo()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName, change: config => config with { MaxPositions = 12 }), CPU);

        var texts = generator.Generate(["a", "the elephant!"], new GenerationOptions { MaxNewTokens = 50 }, Token);

        Assert.All(texts, text => Assert.Equal((12, GenerationEnd.ContextFull), (text.PromptIds.Count + text.Ids.Count, text.End)));
        Assert.Equal(generator.Generate("a", new GenerationOptions { MaxNewTokens = 50, UsesCache = false }, Token).Ids, texts[0].Ids);
    }

    [Fact]
    public void Generate_BadOptions_AreAllNamedAtOnce()
    {
        using var folder = new TemporaryFolder();
        using var generator = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU);
        var bad = new GenerationOptions { MaxNewTokens = 0, Temperature = -1, TopK = 0, TopP = 0, RepetitionPenalty = 0, StopStrings = [""] };

        var error = Assert.Throws<ArgumentException>(() => generator.StreamAsync("a", bad, Token));

        Assert.All(
            ["MaxNewTokens is 0; use 1 or more.", "Temperature is -1", "TopK is 0", "TopP is 0", "RepetitionPenalty is 0", "StopStrings has an empty text"],
            part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Contains("no prompt", Assert.Throws<ArgumentException>(() => generator.Generate([], null, Token)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_EmptyPrompt_BeginsATextOrSaysWhyItCannot()
    {
        using var folder = new TemporaryFolder();
        using (var llama = TextGenerator.Open(TinyDecoder.Write(folder.FullName), CPU))
            Assert.Equal(3, llama.Generate("", new GenerationOptions { MaxNewTokens = 3 }, Token).Ids.Count);
        using var qwen = TextGenerator.Open(TinyDecoder.Write(folder.FullName, "qwen2"), CPU);
        Assert.Contains("give at least one character", Assert.Throws<ArgumentException>(() => qwen.Generate("", null, Token)).Message, StringComparison.Ordinal);
    }
}
