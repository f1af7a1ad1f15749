using System.CommandLine;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Inspecting;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Modeling;
using Spectre.Console;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora info: what a checkpoint is, and what is missing or wrong.</summary>
/// <remarks>Reads headers only, and never loads torch's native library: it must answer where nothing else runs.</remarks>
internal sealed class InfoVerb
{
    private readonly Option<string> _base = VerbOptions.Required("--base", "A checkpoint folder, or mini-encoder.", "B");
    private readonly Option<string?> _json = VerbOptions.Json();

    private readonly Terminal _terminal;

    private InfoVerb(Terminal terminal) => _terminal = terminal;

    public static Command Create(Terminal terminal)
    {
        var verb = new InfoVerb(terminal);
        var command = new Command("info", "Tell what a checkpoint is and what is missing or wrong; exit code 2 when it cannot be used.")
        {
            verb._base, verb._json,
        };
        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        var (name, json) = (parsed.GetValue(_base)!, parsed.GetValue(_json));
        OutputPaths.Check([("--json", json)], []);
        if (Directory.Exists(name) && DecoderConfig.IsDecoder(name))
        {
            var decoder = InfoDecoderSummary.Of(name, DecoderInspection.OfFolder(name));
            return Tell(json, decoder, InfoDecoderTable.Of(decoder), decoder.Problems);
        }
        var info = InfoSummary.Of(name, Inspect(name));
        return Tell(json, info, InfoTable.Of(info), info.Problems);
    }

    private int Tell<T>(string? json, T info, Table table, IReadOnlyList<string> problems)
    {
        JsonReport.Write(json, info);
        _terminal.Show(table);
        foreach (var problem in problems) _terminal.Complain(problem);
        return problems.Count == 0 ? CommandLine.Done : CommandLine.BadInput;
    }

    private static CheckpointInspection Inspect(string name)
    {
        if (name == BaseModel.MiniEncoder) return CheckpointInspection.OfMiniEncoder();
        if (File.Exists(name)) throw new BadInputException($"{name}: this is a file; info reads checkpoint folders. Give its folder, or {BaseModel.MiniEncoder}.");
        if (!Directory.Exists(name)) throw new BadInputException($"{name}: no such folder. Give a checkpoint folder, or {BaseModel.MiniEncoder}.");
        return CheckpointInspection.OfFolder(name);
    }
}
