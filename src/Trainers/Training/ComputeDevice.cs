using System.Globalization;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>Which device a fit runs on, from what the user said.</summary>
/// <remarks>Thread-safe.</remarks>
public static class ComputeDevice
{
    private const string Wanted = "use cpu, cuda, or cuda:N with N from 0";

    /// <summary>What is wrong with a device name; null when it can be parsed.</summary>
    public static string? Fault(string name) => TryParse(name, out _) ? null : $"Device is '{name}'; {Wanted}.";

    /// <summary>The device for a fit.</summary>
    /// <param name="name">The option; null follows the next two.</param>
    /// <param name="gpuDeviceId">MLContext.GpuDeviceId; a negative number asks for the CPU.</param>
    /// <param name="fallBackToCpu">MLContext.FallbackToCpu: whether a GPU that is not there may be replaced by the CPU.</param>
    /// <param name="log">Told in a sentence what was chosen and why.</param>
    /// <exception cref="ArgumentException">The name is none of cpu, cuda, cuda:N.</exception>
    /// <exception cref="InvalidOperationException">A GPU was asked for by name or id and there is none to use.</exception>
    public static Device Choose(string? name, int? gpuDeviceId, bool fallBackToCpu, Action<string> log)
    {
        TorchNativeLibrary.EnsureLoaded();
        if (name is not null)
        {
            if (!TryParse(name, out var index)) throw new ArgumentException(Fault(name));
            if (index is not { } named) return Say(CPU, "as Device says");
            return Gpu(named, $"Device is '{name}'", mayFallBack: false, log);
        }
        // Null already means "a GPU if there is one", so a caller who wants the CPU in spite of one needs another value.
        if (gpuDeviceId < 0) return Say(CPU, $"GpuDeviceId is {gpuDeviceId}");
        if (gpuDeviceId is { } id) return Gpu(id, $"GpuDeviceId is {id}", fallBackToCpu, log);
        return cuda.is_available() ? Say(device(TorchSharp.DeviceType.CUDA, 0), "the first GPU; set Device or GpuDeviceId to choose") : Say(CPU, "no CUDA device is usable here");

        Device Say(Device device, string reason)
        {
            log($"Device: {device} ({reason}).");
            return device;
        }
    }

    private static Device Gpu(int index, string request, bool mayFallBack, Action<string> log)
    {
        var count = cuda.is_available() ? cuda.device_count() : 0;
        if (index >= 0 && index < count)
        {
            log($"Device: cuda:{index} ({request}).");
            return device(TorchSharp.DeviceType.CUDA, index);
        }
        var found = count == 0
            ? "no CUDA device is usable here (is a libtorch-cuda package referenced, and does the driver match?)"
            : $"this machine has cuda:0 to cuda:{count - 1}";
        if (!mayFallBack) throw new InvalidOperationException($"{request}, but {found}. Choose another device, or cpu.");
        log($"Device: cpu ({request}, but {found}; FallbackToCpu is set).");
        return CPU;
    }

    // "cpu" gives no index; "cuda" means "cuda:0".
    private static bool TryParse(string name, out int? gpuIndex)
    {
        gpuIndex = null;
        if (name.Equals("cpu", StringComparison.OrdinalIgnoreCase)) return true;
        if (name.Equals("cuda", StringComparison.OrdinalIgnoreCase))
        {
            gpuIndex = 0;
            return true;
        }
        if (!name.StartsWith("cuda:", StringComparison.OrdinalIgnoreCase)
            || !int.TryParse(name.AsSpan("cuda:".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return false;
        gpuIndex = index;
        return true;
    }
}
