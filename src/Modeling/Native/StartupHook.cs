/// <summary>What the runtime calls before a program's own code when DOTNET_STARTUP_HOOKS names this assembly.</summary>
/// <remarks>The name, the missing namespace and the method are the runtime's rule. <see cref="MLNetLoRA.Modeling.SelfTestProcess"/> uses it.</remarks>
internal static class StartupHook
{
    public static void Initialize() => MLNetLoRA.Modeling.TorchNativeLibrary.Ensure();
}
