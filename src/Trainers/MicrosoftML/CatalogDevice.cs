using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers;

/// <summary>Which device the context behind a catalog asks for.</summary>
internal static class CatalogDevice
{
    /// <summary>GpuDeviceId and FallbackToCpu of the MLContext that a trainer would be made with.</summary>
    public static DeviceChoice ChoiceOf(MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog)
    {
        var environment = (IHostEnvironmentInternal)CatalogUtils.GetEnvironment(catalog);
        return new DeviceChoice(environment.GpuDeviceId, environment.FallbackToCpu);
    }
}
