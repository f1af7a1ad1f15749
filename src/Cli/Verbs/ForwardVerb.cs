using System.CommandLine;
using MLNetLoRA.Cli.Forwarding;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Output;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>mlnet-lora forward: runs a checkpoint on given token ids.</summary>
internal sealed class ForwardVerb
{
    private readonly Option<string> _base = VerbOptions.Required(
        "--base", "A checkpoint folder (config.json and safetensors weights; no tokenizer needed) or mini-encoder. Its head decides what runs.", "B");
    private readonly Option<string?> _adapter = VerbOptions.Path("--adapter", "A folder with PEFT's files of a LoRA adapter for this base.", "DIR");
    private readonly Option<string> _inputs = VerbOptions.Required(
        "--inputs", "JSON with input_ids and attention_mask, rows of equal length; optional token_type_ids and labels (-100 counts for nothing; a decoder's stand in place, not shifted).", "I.json");
    private readonly Option<string> _out = VerbOptions.Required("--out", "Receives the tensors logits and last_hidden_state.", "O.safetensors");
    private readonly Option<string> _device = VerbOptions.Device();
    private readonly Option<string?> _json = VerbOptions.Json();

    public static Command Create(Terminal terminal)
    {
        var verb = new ForwardVerb();
        var command = new Command("forward", "Run a checkpoint on given token ids: logits, last hidden state, mean loss.")
        {
            verb._base, verb._adapter, verb._inputs, verb._out, verb._device, verb._json,
        };
        command.SetAction((parsed, _) => Task.Run(() => verb.Run(parsed, terminal), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, Terminal terminal)
    {
        TorchNativeLibrary.EnsureLoaded();
        var (inputsPath, output, json) = (parsed.GetValue(_inputs)!, parsed.GetValue(_out)!, parsed.GetValue(_json));
        var device = VerbOptions.ChooseDevice(parsed.GetValue(_device)!);
        OutputPaths.Check([("--out", output), ("--json", json)], [("--inputs", inputsPath)]);
        using var scope = NewDisposeScope();
        var (name, adapter) = (parsed.GetValue(_base)!, parsed.GetValue(_adapter));
        var (logits, hidden, loss) = Directory.Exists(name) && DecoderConfig.IsDecoder(name)
            ? Decode(name, adapter, inputsPath, device)
            : Encode(name, adapter, inputsPath, device);
        SafetensorsWriter.Write(output, [KeyValuePair.Create("logits", logits), KeyValuePair.Create("last_hidden_state", hidden)]);
        var summary = new ForwardSummary(new ForwardShapes(logits.shape, hidden.shape), loss);
        JsonReport.Write(json, summary);
        terminal.Show(summary.ToTable());
        return CommandLine.Done;
    }

    private static (Tensor Logits, Tensor Hidden, double? Loss) Encode(string name, string? adapter, string inputsPath, Device device)
    {
        using var network = Open(name, adapter, device);
        var inputs = ForwardInputs.Read(inputsPath, ForwardLimits.Of(network));
        using var batch = inputs.ToBatch(network.Config, device);
        var (logits, hidden) = network.Forward(batch);
        return (logits, hidden, inputs.MeanLoss(logits));
    }

    private static (Tensor Logits, Tensor Hidden, double? Loss) Decode(string folder, string? adapter, string inputsPath, Device device)
    {
        using var network = DecoderNetwork.Open(folder, device, adapter);
        var inputs = ForwardInputs.Read(inputsPath, ForwardLimits.Of(network));
        using var batch = inputs.ToBatch(network.Config, device);
        var (logits, hidden) = network.Forward(batch);
        return (logits, hidden, inputs.MeanNextTokenLoss(logits));
    }

    private static CheckpointNetwork Open(string name, string? adapter, Device device)
    {
        if (name == BaseModel.MiniEncoder) return CheckpointNetwork.Open(PretrainedModel.MiniEncoder, device, adapter);
        if (!Directory.Exists(name)) throw new BadInputException($"{name}: no such folder. Give a checkpoint folder, or {BaseModel.MiniEncoder}.");
        return CheckpointNetwork.Open(name, device, adapter);
    }
}
