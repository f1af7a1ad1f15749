using System.CommandLine;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Cli.Verbs;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Spectra;

/// <summary>The options that name a model before and after fine-tuning.</summary>
/// <remarks>The one place that knows the forms a fine-tuned model comes in; verbs see only <see cref="IWeightChanges"/>.</remarks>
internal sealed class ChangeInputs
{
    private readonly Option<string?> _base = VerbOptions.Path(
        "--base",
        "The model before fine-tuning: a checkpoint folder or a .safetensors file, of any architecture; with --adapter and --model also mini-encoder. "
        + "A model file holds it, or knows where it is: with --model it is needed where the model was saved without, and otherwise compared.",
        "X");
    private readonly Option<string?> _tuned = VerbOptions.Path("--tuned", "The model after fine-tuning: a checkpoint folder or a .safetensors file.", "Y");
    private readonly Option<string?> _adapter = VerbOptions.Path("--adapter", "Instead of --tuned: a folder with PEFT's files of a LoRA adapter.", "DIR");
    private readonly Option<string?> _model = VerbOptions.Path(
        "--model", "Instead of --tuned: a saved model with a classifier that was fine-tuned by LoRA or in full. Load only files you trust.", "M.mlnet");

    public void AddTo(Command command)
    {
        command.Add(_base);
        command.Add(_tuned);
        command.Add(_adapter);
        command.Add(_model);
    }

    /// <summary>Option and path of what is read.</summary>
    public IReadOnlyList<(string Option, string? Path)> Paths(ParseResult parsed) =>
        [(_base.Name, parsed.GetValue(_base)), .. FineTuned(parsed)];

    /// <summary>Opens what the options name: of folders and .safetensors files nothing but headers is read yet.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="device">Where a model file's weights go.</param>
    /// <exception cref="BadInputException">
    /// None or several of --tuned, --adapter and --model are given, or the model file holds no fine-tuned classifier, or one of another base.
    /// </exception>
    /// <exception cref="IOException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the two do not belong together.</exception>
    public IWeightChanges Open(ParseResult parsed, Device device)
    {
        var before = parsed.GetValue(_base);
        var given = FineTuned(parsed).Where(one => one.Path is not null).ToList();
        if (given.Count == 0) throw new BadInputException("The fine-tuned model is missing; give --tuned Y, --adapter DIR or --model M.mlnet.");
        if (given.Count > 1) throw new BadInputException($"{string.Join(" and ", given.Select(one => one.Option))} are given; give one of them.");
        if (parsed.GetValue(_model) is { } model) return OpenModel(model, before, device);
        if (before is null) throw new BadInputException("--base is missing: the model before fine-tuning, a checkpoint folder or a .safetensors file.");
        if (parsed.GetValue(_tuned) is { } tuned) return CheckpointChanges.Open(before, tuned);
        var adapter = parsed.GetValue(_adapter)!;
        return before == BaseModel.MiniEncoder ? AdapterChanges.Open(MiniEncoder(), adapter) : AdapterChanges.Open(before, adapter);
    }

    private (string Option, string? Path)[] FineTuned(ParseResult parsed) =>
        [(_tuned.Name, parsed.GetValue(_tuned)), (_adapter.Name, parsed.GetValue(_adapter)), (_model.Name, parsed.GetValue(_model))];

    private static ClassifierChanges OpenModel(string path, string? before, Device device)
    {
        var baseModel = before is null ? null : BaseModel.OpenPretrained(before);
        var ml = ModelFile.On(device);
        return ModelFile.Open(ml, path, "--model takes a model saved by train --out", (model, _) =>
        {
            // The changes hold what they need of its weights.
            using var loaded = model as IDisposable;
            try
            {
                return ml.Model.OpenWeightChanges(model, baseModel: baseModel);
            }
            catch (InvalidOperationException e) when (baseModel is null)
            {
                throw new BadInputException($"{path}: the model was saved without its base, to which it is to be compared; name that with --base.", e);
            }
        });
    }

    /// <summary>The base as a model that can be run: with its configuration and tokenizer.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="changes">What <see cref="Open"/> opened.</param>
    /// <exception cref="BadInputException">It is a file of weights alone.</exception>
    /// <exception cref="InvalidDataException">The folder is not a model of a supported family.</exception>
    public PretrainedModel OpenBase(ParseResult parsed, IWeightChanges changes)
    {
        if (changes is ClassifierChanges classifier) return classifier.BaseModel;
        var path = parsed.GetValue(_base)!;
        return File.Exists(path)
            ? throw new BadInputException($"{path}: weights alone cannot be run, as this needs; give --base the checkpoint folder with config.json and the tokenizer.")
            : BaseModel.Open(path, tokenizer: null);
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
