using MLNetLoRA.Testing;

namespace MLNetLoRA.Cli.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData("", "The verb is missing; use one of: train, predict, forward, generate, info, inspect, rescale, forget, continual, study.")]
    [InlineData("merge", "There is no verb 'merge'; use one of: train, predict, forward, generate, info, inspect, rescale, forget, continual, study.")]
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
    [InlineData("inspect --base b", "The fine-tuned model is missing; give --tuned Y, --adapter DIR or --model M.mlnet.")]
    [InlineData("inspect --base b --tuned t --adapter a", "--tuned and --adapter are given; give one of them.")]
    [InlineData("inspect --base b --tuned t --model m.mlnet", "--tuned and --model are given; give one of them.")]
    [InlineData("inspect --tuned t", "--base is missing: the model before fine-tuning, a checkpoint folder or a .safetensors file.")]
    [InlineData("inspect --base b --tuned t --epsilon 0", "--epsilon holds 0; use a cosine above 0 and below 1")]
    [InlineData("inspect --base b --tuned t --epsilon 0.5,1", "--epsilon holds 1; use a cosine above 0 and below 1")]
    [InlineData("inspect --base b --tuned t --epsilon NaN", "--epsilon holds NaN; use a cosine above 0 and below 1")]
    [InlineData("inspect --base b --tuned t --epsilon half", "--epsilon is 'half'; numbers separated by commas were wanted.")]
    [InlineData("inspect --base b --tuned t --top-k 0", "--top-k holds 0; use 1 or more")]
    [InlineData("inspect --base b --tuned t --top-k 10,1.5", "--top-k is '10,1.5'; whole numbers separated by commas were wanted.")]
    [InlineData("inspect --base b --tuned t --method exact", "--method is 'exact'; use fast or reference.")]
    [InlineData("inspect --base b --tuned t --side both", "--side is 'both'; use left or right.")]
    [InlineData("rescale --base b --tuned t --out o", "--scale is missing: the factor of what is rescaled.")]
    [InlineData("rescale --base b --tuned t --out o --scale -0.5", "--scale is -0.5; use 0 or more.")]
    [InlineData("rescale --base b --tuned t --out o --scale NaN", "--scale is NaN; use 0 or more")]
    [InlineData("rescale --base b --tuned t --out o --scale 1e999", "--scale is Infinity; use 0 or more")]
    [InlineData("rescale --base b --out o --scale 1", "The fine-tuned model is missing; give --tuned Y, --adapter DIR or --model M.mlnet.")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --which some", "--which is 'some'; use top, all, neighbour, uniform, uniform-global or balance.")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --texts f --strength 2", "--texts and --strength have no effect with --which top; leave them out.")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --which balance --top-k 3", "--scale and --top-k have no effect with --which balance; leave them out.")]
    [InlineData("rescale --base b --tuned t --out o --which balance --task f", "--which balance needs --texts F")]
    [InlineData("rescale --base b --tuned t --out o --which balance --texts f", "--which balance needs --task F")]
    [InlineData("rescale --base b --tuned t --out o --which balance --texts f --task f --text-pair c", "--text-pair needs --text")]
    [InlineData("rescale --base b --tuned t --out o --which balance --texts f --task f --strength -1", "--strength is -1; use 0 or more.")]
    [InlineData("rescale --base b --tuned t --out o --which balance --texts f --task f --strength NaN", "--strength is NaN; use 0 or more")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --rank 0", "--rank is '0'; use exact, or a whole number from 1.")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --epsilon 0.5,0.7", "--epsilon holds 2 numbers; give the one")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --top-k 1,2", "--top-k holds 2 numbers; give the one")]
    [InlineData("rescale --base b --tuned t --out o --scale 1 --match norm", "--match has no effect with --which top; leave it out.")]
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
        foreach (var verb in new[] { "train", "predict", "forward", "generate", "info", "inspect", "rescale", "forget", "continual", "study" }) Assert.Contains($"\n  {verb} ", run.Output);
        foreach (var verb in new[] { "merge", "guess" }) Assert.DoesNotContain($"\n  {verb} ", run.Output);
    }
}
