using Microsoft.ML.Data;

namespace QuickStart;

/// <summary>The comparison: one line per model.</summary>
internal sealed class ResultTable
{
    private readonly List<string> _lines = [];

    public ResultTable()
    {
        _lines.Add($"{"model",-28} | accuracy | macro accuracy | log-loss | intruders | accuracy after rescaling | "
            + "trainable parameters | seconds");
        _lines.Add(string.Concat(_lines[0].Select(character => character == '|' ? '|' : '-')));
    }

    /// <param name="model">What it is called.</param>
    /// <param name="metrics">Measured on the test rows. Micro-accuracy is plain accuracy: the share of rows classified correctly.</param>
    /// <param name="trainableParameters">How many numbers training could change.</param>
    /// <param name="duration">How long Fit took.</param>
    /// <param name="repaired">What scaling intruder dimensions down made of it; null for a model that was not fine-tuned from another.</param>
    public void Add(string model, MulticlassClassificationMetrics metrics, long trainableParameters, TimeSpan duration, Repaired? repaired) => _lines.Add(
        $"{model,-28} | {metrics.MicroAccuracy,8:F3} | {metrics.MacroAccuracy,14:F3} | {metrics.LogLoss,8:F3} | "
        + $"{repaired?.Intruders,9} | {repaired?.Accuracy,24:F3} | {trainableParameters,20:N0} | {duration.TotalSeconds,7:F1}");

    public void Print() => Console.WriteLine($"\n{string.Join('\n', _lines)}");
}

/// <summary>A fine-tuned model whose intruder dimensions were scaled down.</summary>
/// <param name="Intruders">How many there were: among the ten leading singular vectors of each matrix, those no pretrained one resembles.</param>
/// <param name="Accuracy">On the test rows, afterwards.</param>
internal sealed record Repaired(int Intruders, double Accuracy);
