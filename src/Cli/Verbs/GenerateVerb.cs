using System.CommandLine;
using System.Diagnostics;
using MLNetLoRA.Cli.Generating;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora generate: continues a text.</summary>
internal sealed class GenerateVerb
{
    private readonly Option<string> _base = VerbOptions.Required(
        "--base", "A checkpoint folder of a decoder (llama, mistral, qwen2): config.json, safetensors weights, the tokenizer's files.", "B");
    private readonly Option<string?> _adapter = VerbOptions.Path("--adapter", "A folder with PEFT's files of a LoRA adapter for this base.", "DIR");
    private readonly Option<string> _prompt = new("--prompt") { Description = "The text to go on from.", HelpName = "T", Required = true };
    private readonly Option<int?> _maxNewTokens = VerbOptions.Number<int>("--max-new-tokens", "How many tokens to add at most (default 128).");
    private readonly Option<double?> _temperature = VerbOptions.Number<double>(
        "--temperature", "0, the default: the most probable token follows, always; above 0 tokens are drawn, the more freely the higher (usual: 0.7 to 1).");
    private readonly Option<int?> _topK = VerbOptions.Number<int>("--top-k", "Draw from so many of the most probable tokens only (default: all).");
    private readonly Option<double?> _topP = VerbOptions.Number<double>("--top-p", "Draw from the most probable tokens that have this share together (default 1: all).");
    private readonly Option<double?> _repetitionPenalty = VerbOptions.Number<double>(
        "--repetition-penalty", "Above 1, tokens that are in the text already get less probable (default 1).");
    private readonly Option<string[]> _stop = new("--stop") { Description = "Stop before this text; may be given several times.", HelpName = "T" };
    private readonly Option<bool> _noCache = VerbOptions.Flag("--no-cache", "Read the whole text again for every token: slower, for less memory.");
    private readonly Option<int?> _seed = VerbOptions.Number<int>("--seed", "Of the draws (default 0).");
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    public static Command Create(Terminal terminal)
    {
        var verb = new GenerateVerb();
        var command = new Command("generate", "Continue a text with a decoder.")
        {
            verb._base, verb._adapter, verb._prompt, verb._maxNewTokens, verb._temperature, verb._topK, verb._topP, verb._repetitionPenalty,
            verb._stop, verb._noCache, verb._seed, verb._device, verb._json,
        };
        command.SetAction((parsed, cancellation) => verb.RunAsync(parsed, terminal, cancellation));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        TorchNativeLibrary.EnsureLoaded();
        var (name, json, prompt) = (parsed.GetValue(_base)!, parsed.GetValue(_json), parsed.GetValue(_prompt)!);
        OutputPaths.Check([("--json", json)], []);
        if (!Directory.Exists(name)) throw new BadInputException($"{name}: no such folder. Give a checkpoint folder of a decoder.");
        using var generator = TextGenerator.Open(name, VerbOptions.ChooseDevice(parsed.GetValue(_device)!), parsed.GetValue(_adapter));

        var watch = Stopwatch.StartNew();
        var text = await Task.Run(() => generator.Generate(prompt, Options(parsed), cancellation), cancellation);
        var summary = GenerateSummary.Of(prompt, text, watch.Elapsed.TotalSeconds);
        JsonReport.Write(json, summary);
        terminal.Print(summary.Text);
        return CommandLine.Done;
    }

    private GenerationOptions Options(ParseResult parsed)
    {
        var defaults = new GenerationOptions();
        return new GenerationOptions
        {
            MaxNewTokens = parsed.GetValue(_maxNewTokens) ?? defaults.MaxNewTokens,
            Temperature = parsed.GetValue(_temperature) ?? defaults.Temperature,
            TopK = parsed.GetValue(_topK),
            TopP = parsed.GetValue(_topP) ?? defaults.TopP,
            RepetitionPenalty = parsed.GetValue(_repetitionPenalty) ?? defaults.RepetitionPenalty,
            StopStrings = parsed.GetValue(_stop) ?? [],
            Seed = parsed.GetValue(_seed) ?? defaults.Seed,
            UsesCache = !parsed.GetValue(_noCache),
        };
    }
}
