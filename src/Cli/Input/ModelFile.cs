using Microsoft.ML;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Input;

/// <summary>Opens the model files that options name.</summary>
internal static class ModelFile
{
    /// <summary>Where models are loaded to: this device and no other.</summary>
    public static MLContext On(Device device) =>
        new() { GpuDeviceId = device.type is TorchSharp.DeviceType.CUDA ? device.index : -1, FallbackToCpu = false };

    /// <summary>Loads a model and makes something of it, which owns the model from then on.</summary>
    /// <param name="ml">Where the model will live.</param>
    /// <param name="path">The file.</param>
    /// <param name="wanted">What the option takes, for the message.</param>
    /// <param name="use">Given the model and its input schema, null where it was saved without; when it throws, the model is disposed.</param>
    /// <exception cref="BadInputException">There is no such file, it is damaged, or <paramref name="use"/> refuses what it holds.</exception>
    public static T Open<T>(MLContext ml, string path, string wanted, Func<ITransformer, DataViewSchema?, T> use)
    {
        if (!File.Exists(path)) throw new BadInputException($"{path}: there is no such file; {wanted}.");
        ITransformer? model = null;
        try
        {
            model = ml.Model.Load(path, out var inputs);
            return use(model, inputs);
        }
        catch (Exception exception)
        {
            (model as IDisposable)?.Dispose();
            if (exception is BadInputException or OutOfMemoryException) throw;
            if (model is not null && exception is ArgumentException or InvalidDataException) throw new BadInputException($"{path}: {exception.Message}", exception);
            // A damaged zip, an unknown component or a wrong version each end in another type of exception.
            throw new BadInputException($"{path}: cannot be loaded as a model: {exception.GetBaseException().Message}", exception);
        }
    }
}
