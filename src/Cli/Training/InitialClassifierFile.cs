using Microsoft.ML;
using MLNetLoRA.Cli.Input;

namespace MLNetLoRA.Cli.Training;

/// <summary>What --initial names: a model file with one fine-tuned classifier.</summary>
internal sealed class InitialClassifierFile : IDisposable
{
    private readonly ITransformer _model;

    private InitialClassifierFile(ITransformer model) => (_model, Initial) = (model, InitialModel.From(model));

    /// <summary>For the trainer's options.</summary>
    public InitialModel Initial { get; }

    /// <summary>The classifier.</summary>
    public TextClassificationTransformer Classifier => Initial.Classifier!;

    /// <exception cref="BadInputException">There is no such file, it is damaged, or it holds no fine-tuned classifier or several.</exception>
    public static InitialClassifierFile Load(MLContext ml, string path) =>
        ModelFile.Open(ml, path, "--initial takes a model saved by train --out", (model, _) => new InitialClassifierFile(model));

    public void Dispose() => (_model as IDisposable)?.Dispose();
}
