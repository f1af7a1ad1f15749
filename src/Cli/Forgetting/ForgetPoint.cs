using System.Text.Json;

namespace MLNetLoRA.Cli.Forgetting;

/// <summary>One method at one scale, as <c>forget --json</c> writes it.</summary>
/// <param name="Scale">1 leaves the model as it is; of balance the strength, of which 0 does.</param>
/// <param name="Which">top, all, neighbour, uniform, uniform-global or balance.</param>
/// <param name="Forgetting">In nats per token.</param>
/// <param name="StandardError">Of the forgetting.</param>
/// <param name="RelativeToUnscaled">Divided by the forgetting of the model as it is; null where nothing was forgotten.</param>
/// <param name="Accuracy">On the test rows; null without.</param>
/// <param name="LogLoss">On the test rows; null without.</param>
internal sealed record ForgetPoint(
    double Scale, string Which, double Forgetting, double StandardError, double RelativeToUnscaled, double? Accuracy, double? LogLoss)
{
    /// <summary>The methods by what is typed for them.</summary>
    public static IReadOnlyDictionary<string, RepairMethod> Methods { get; } = Enum.GetValues<RepairMethod>().ToDictionary(NameOf);

    public static ForgetPoint Of(RepairPoint point) => new(
        point.Scale, NameOf(point.Which), point.Forgetting, point.StandardError, point.RelativeToUnscaled, point.Accuracy, point.LogLoss);

    public static string NameOf(RepairMethod method) => JsonNamingPolicy.KebabCaseLower.ConvertName(method.ToString());
}

/// <summary>A method and a scale: measured ones where it is recommended, interpolated ones where methods meet at equal accuracy.</summary>
/// <param name="Which">The method.</param>
/// <param name="Scale">Its scale.</param>
internal sealed record ForgetChoice(string Which, double Scale);

/// <summary>What a method leaves at an accuracy within the tolerance, by interpolation.</summary>
/// <param name="Which">The method.</param>
/// <param name="Scale">Between measured scales or strengths.</param>
/// <param name="Forgetting">In nats per token.</param>
/// <param name="RelativeToUnscaled">Divided by the forgetting of the model as it is.</param>
internal sealed record ForgetAtEqualTask(string Which, double Scale, double Forgetting, double RelativeToUnscaled);
