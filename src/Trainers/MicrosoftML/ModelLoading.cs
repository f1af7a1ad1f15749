using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Loads model files of any kind where only an environment is at hand.</summary>
internal static class ModelLoading
{
    /// <summary>The model in a file; the caller disposes it.</summary>
    /// <param name="env">Where the model will live.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">It cannot be loaded as a model; the message says why.</exception>
    public static ITransformer Load(IHostEnvironment env, string path)
    {
        try
        {
            return new ModelOperationsCatalog(env).Load(path, out _);
        }
        catch (Exception exception) when (exception is not (OutOfMemoryException or OperationCanceledException))
        {
            // A damaged zip, an unknown component or a wrong version each end in another type of exception.
            throw new InvalidDataException($"'{path}' cannot be loaded as a model: {exception.GetBaseException().Message}", exception);
        }
    }
}
