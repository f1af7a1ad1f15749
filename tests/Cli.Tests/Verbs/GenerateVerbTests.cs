using System.Text.Json;
using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests.Verbs;

public class GenerateVerbTests
{
    private const string Prompt = "Once upon a time, there was a";

    [Theory]
    [InlineData()]
    [InlineData("--no-cache")]
    public void Generate_Stories_GivesTheReferencesFortyTokens(params string[] more)
    {
        var reference = SharedData.Path("stories260K");
        using var folder = new TemporaryFolder();

        var json = Run.Json(
            folder.File("run.json"), ["generate", "--base", reference, "--prompt", Prompt, "--max-new-tokens", "40", "--temperature", "0", "--device", "cpu", .. more]);

        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(reference, "expected.json")));
        Assert.Equal(expected.RootElement.GetProperty("greedy").GetProperty("ids").Deserialize<int[]>()!, json.GetProperty("ids").Deserialize<int[]>()!);
        Assert.Equal((9, 40, "max_new_tokens"), (json.GetProperty("prompt_tokens").GetInt32(), json.GetProperty("new_tokens").GetInt32(), json.GetProperty("end").GetString()));
        Assert.StartsWith($"{Prompt} little girl named Lily.", json.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal(json.GetProperty("text").GetString(), Prompt + json.GetProperty("continuation").GetString());
        Assert.True(json.GetProperty("tokens_per_second").GetDouble() > 0);
    }

    [Fact]
    public void Generate_StopAndSeed_AreHeededAndTheTextIsShown()
    {
        var reference = SharedData.Path("stories260K");
        string[] drawn = ["generate", "--base", reference, "--prompt", Prompt, "--max-new-tokens", "30", "--temperature", "1", "--top-k", "50", "--top-p", "0.9"];

        var first = Run.Of([.. drawn, "--seed", "1"]);

        Assert.StartsWith(Prompt, first.Output, StringComparison.Ordinal);
        Assert.Equal(first.Output, Run.Of([.. drawn, "--seed", "1"]).Output);
        Assert.NotEqual(first.Output, Run.Of([.. drawn, "--seed", "2"]).Output);
        Assert.Equal($"{Prompt} little girl named\n", Run.Of("generate", "--base", reference, "--prompt", Prompt, "--stop", " Lily").Output);
    }

    [Fact]
    public void Generate_BadInput_IsRefusedInTheWordsOfTheCommandLine()
    {
        var reference = SharedData.Path("stories260K");
        using var folder = new TemporaryFolder();

        Run.Of("generate", "--base", reference, "--prompt", Prompt, "--max-new-tokens", "0", "--top-p", "2")
            .AssertRefused("--max-new-tokens is 0; use 1 or more. --top-p is 2; use a share above 0, at most 1.");
        Run.Of("generate", "--base", reference, "--prompt", string.Concat(Enumerable.Repeat("one two ", 200))).AssertRefused("and the model's context of 512 has to hold at least one new token too; shorten it by");
        Run.Of("generate", "--base", folder.File("none"), "--prompt", Prompt).AssertRefused("no such folder. Give a checkpoint folder of a decoder.");
    }
}
