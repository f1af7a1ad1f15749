namespace MLNetLoRA.Trainers;

/// <summary>Which device an MLContext asks for where the options do not say.</summary>
/// <param name="GpuDeviceId">MLContext.GpuDeviceId; null takes a GPU if there is one.</param>
/// <param name="FallbackToCpu">Whether a GPU that is not there may be replaced by the CPU.</param>
internal sealed record DeviceChoice(int? GpuDeviceId, bool FallbackToCpu)
{
    /// <summary>Without an MLContext: cuda:0 when usable, else the CPU.</summary>
    public static DeviceChoice Free { get; } = new(null, true);
}
