using System.CommandLine;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Verbs;
using MLNetLoRA.Modeling;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>The options that name a model before and after fine-tuning.</summary>
/// <remarks>The one place that knows the forms a fine-tuned model comes in; verbs see only <see cref="IWeightChanges"/>.</remarks>
internal sealed class ChangeInputs
{
    private readonly Option<string> _base = VerbOptions.Required(
        "--base", "The model before fine-tuning: a checkpoint folder or a .safetensors file, of any architecture; with --adapter also mini-encoder.", "X");
    private readonly Option<string?> _tuned = VerbOptions.Path("--tuned", "The model after fine-tuning: a checkpoint folder or a .safetensors file.", "Y");
    private readonly Option<string?> _adapter = VerbOptions.Path("--adapter", "Instead of --tuned: a folder with PEFT's files of a LoRA adapter.", "DIR");

    public void AddTo(Command command)
    {
        command.Add(_base);
        command.Add(_tuned);
        command.Add(_adapter);
    }

    /// <summary>Option and path of what is read.</summary>
    public IReadOnlyList<(string Option, string? Path)> Paths(ParseResult parsed) =>
        [("--base", parsed.GetValue(_base)), ("--tuned", parsed.GetValue(_tuned)), ("--adapter", parsed.GetValue(_adapter))];

    /// <summary>Opens what the options name; nothing but headers is read yet.</summary>
    /// <exception cref="BadInputException">Both or none of --tuned and --adapter are given.</exception>
    /// <exception cref="IOException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the two do not belong together.</exception>
    public IWeightChanges Open(ParseResult parsed)
    {
        var (before, tuned, adapter) = (parsed.GetValue(_base)!, parsed.GetValue(_tuned), parsed.GetValue(_adapter));
        return (tuned, adapter) switch
        {
            ({ } path, null) => CheckpointChanges.Open(before, path),
            (null, { } folder) => before == BaseModel.MiniEncoder ? AdapterChanges.Open(MiniEncoder(), folder) : AdapterChanges.Open(before, folder),
            (null, null) => throw new BadInputException("The fine-tuned model is missing; give --tuned Y or --adapter DIR."),
            _ => throw new BadInputException("--tuned and --adapter are both given; give one of them."),
        };
    }

    // 7 MB.
    private static Checkpoint MiniEncoder()
    {
        var weights = new MemoryStream();
        PretrainedModel.MiniEncoder.WriteWeights(weights);
        weights.Position = 0;
        return Checkpoint.Open(weights, BaseModel.MiniEncoder);
    }
}
