using Microsoft.ML;

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
    public static InitialClassifierFile Load(MLContext ml, string path)
    {
        if (!File.Exists(path)) throw new BadInputException($"{path}: there is no such file; --initial takes a model saved by train --out.");
        ITransformer? model = null;
        try
        {
            model = ml.Model.Load(path, out _);
            return new InitialClassifierFile(model);
        }
        catch (Exception exception)
        {
            (model as IDisposable)?.Dispose();
            if (exception is OutOfMemoryException) throw;
            if (exception is ArgumentException && model is not null) throw new BadInputException($"{path}: {exception.Message}", exception);
            // A damaged zip, an unknown component or a wrong version each end in another type of exception.
            throw new BadInputException($"{path}: cannot be loaded as a model: {exception.GetBaseException().Message}", exception);
        }
    }

    public void Dispose() => (_model as IDisposable)?.Dispose();
}
