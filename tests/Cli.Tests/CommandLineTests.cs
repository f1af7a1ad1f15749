using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData("", "The verb is missing; use one of: train, predict, forward, info.")]
    [InlineData("inspect", "There is no verb 'inspect'; use one of: train, predict, forward, info.")]
    [InlineData("train", "Option '--task' is required.")]
    [InlineData("train --task causal --base b --data d", "--task is 'causal'; use classify or masked.")]
    [InlineData("train --task classify --base b --data d --method dora", "--method is 'dora'; use lora or full.")]
    [InlineData("train --task classify --base b --data d --rank four", "--rank is 'four'; a whole number was wanted.")]
    [InlineData("train --task classify --base b --data d --limit 0", "--limit is 0; use 1 or more.")]
    [InlineData("train --task classify --base b --data d --config x.mbconfig", "Unrecognized command or argument '--config'.")]
    [InlineData("train --task classify --base b --data d --rank 4 --rank 8", "'--rank' expects a single argument but 2 were provided.")]
    [InlineData("predict --model m --data d --out p --delimiter ab", "--delimiter is 'ab'; use tab, comma, semicolon or one character.")]
    [InlineData("predict --model m --data d --out p --device gpu", "--device is 'gpu'; use cpu, cuda, or cuda:N with N from 0.")]
    [InlineData("predict --model m --data d --out p --device cuda:99", "--device is 'cuda:99', but ")]
    [InlineData("forward --base b --inputs i --out o --adapter a", "Unrecognized command or argument '--adapter'.")]
    public void Invoke_BadUsage_IsRefusedInOneLine(string arguments, string expected) =>
        Run.Of(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)).AssertRefused(expected);

    [Fact]
    public void Invoke_BlankValue_IsRefused() =>
        Run.Of("forward", "--base", " ", "--inputs", "i", "--out", "o").AssertRefused("--base is empty; give it a value.");

    [Fact]
    public void Invoke_AtSign_IsAPlainArgument()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("arguments", "--help");

        Run.Of($"@{file}").AssertRefused($"There is no verb '@{file}'");
    }

    [Fact]
    public void Invoke_Help_ListsTheVerbsThatExist()
    {
        var run = Run.Of("--help");

        Assert.Equal((CommandLine.Done, ""), (run.ExitCode, run.Error));
        Assert.Contains("mlnet-lora [command]", run.Output);
        foreach (var verb in new[] { "train", "predict", "forward" }) Assert.Contains($"\n  {verb} ", run.Output);
        foreach (var verb in new[] { "inspect", "rescale", "forget", "generate", "merge" }) Assert.DoesNotContain($"\n  {verb} ", run.Output);
    }
}
