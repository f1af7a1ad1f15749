using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA;

/// <summary>All settings of EvaluateRepair.</summary>
/// <remarks>Immutable. All faults are reported together.</remarks>
public sealed record RepairCurveOptions
{
    /// <summary>How forgetting is measured.</summary>
    /// <value>Default: every setting at its own default.</value>
    public ForgettingOptions Forgetting { get; init; } = new();

    /// <summary>The methods to compare.</summary>
    /// <value>Default: all of them; <see cref="RepairMethod.Balance"/> is left out without <see cref="TaskRows"/>.</value>
    public IReadOnlyList<RepairMethod> Methods { get; init; } = Enum.GetValues<RepairMethod>();

    /// <summary>The scales to measure, of every method but <see cref="RepairMethod.Balance"/>.</summary>
    /// <value>Each 0 or more, none twice; default 0, 0.1, … 1.</value>
    public IReadOnlyList<double> Scales { get; init; } = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

    /// <summary>The strengths μ of <see cref="RepairMethod.Balance"/> to measure.</summary>
    /// <value>Each 0 or more, none twice; default 0, 0.1, 0.2, 0.5, 1, 2, 5, 10.</value>
    public IReadOnlyList<double> Strengths { get; init; } = [0, 0.1, 0.2, 0.5, 1, 2, 5, 10];

    /// <summary>
    /// Rows that the model was trained on, from which <see cref="RepairMethod.Balance"/> learns what the task needs; labels are not read. What it
    /// must retain it learns from every other window of the retention text, and then forgetting of all methods is measured on the rest alone.
    /// </summary>
    /// <value>Holds the model's text columns, and is not <see cref="TestSet"/>; null, the default, leaves Balance out.</value>
    public IDataView? TaskRows { get; init; }

    /// <summary>Labelled rows of the task, for accuracy and log-loss.</summary>
    /// <value>Holds the model's text columns and the label, as a key or raw; null, the default, leaves the task out and recommends nothing.</value>
    public IDataView? TestSet { get; init; }

    /// <summary>The label column of <see cref="TestSet"/>.</summary>
    /// <value>Default "Label".</value>
    public string LabelColumnName { get; init; } = OptionDefaults.Label;

    /// <summary>How much accuracy a recommended repair may cost.</summary>
    /// <value>A share from 0 to 1; default 0.005, half a row in a hundred.</value>
    public double AccuracyTolerance { get; init; } = 0.005;

    /// <summary>A singular vector is an intruder when its |cosine| with every singular vector of the base's matrix is below this.</summary>
    /// <value>Above 0 and below 1; default 0.5.</value>
    public double Epsilon { get; init; } = 0.5;

    /// <summary>How many leading singular vectors of each matrix may be intruders.</summary>
    /// <value>1 or more, cut to the shorter side of the smallest matrix; default 10.</value>
    public int TopK { get; init; } = 10;

    internal IEnumerable<string> Faults()
    {
        if (Methods.Count == 0) yield return $"Methods is empty; name at least one of {string.Join(", ", Enum.GetNames<RepairMethod>())}.";
        foreach (var method in Methods.Where(method => !Enum.IsDefined(method))) yield return $"Methods holds {method}; use {string.Join(", ", Enum.GetNames<RepairMethod>())}.";
        foreach (var twice in Methods.CountBy(method => method).Where(pair => pair.Value > 1)) yield return $"Methods holds {twice.Key} {twice.Value} times; name it once.";
        foreach (var fault in Faults(nameof(Scales), Scales, "0, 0.1, … 1").Concat(Faults(nameof(Strengths), Strengths, "0, 0.1, … 10"))) yield return fault;
        if (TaskRows is null && Methods is [RepairMethod.Balance]) yield return "Methods holds Balance alone, which learns from the task's training rows; give TaskRows.";
        if (TaskRows is not null && !Methods.Contains(RepairMethod.Balance)) yield return "Methods holds no Balance, which alone reads TaskRows; add it, or leave TaskRows out.";
        if (TaskRows is not null && ReferenceEquals(TaskRows, TestSet)) yield return "TaskRows and TestSet are the same rows; what judges a repair must not have made it: give training rows.";
        if (AccuracyTolerance is not (>= 0 and <= 1)) yield return $"AccuracyTolerance is {AccuracyTolerance}; use a share from 0 to 1.";
        if (Epsilon is not (> 0 and < 1)) yield return $"Epsilon is {Epsilon}; use a cosine above 0 and below 1 (usual: 0.5).";
        if (TopK < 1) yield return $"TopK is {TopK}; use 1 or more (usual: 10).";
        if (string.IsNullOrWhiteSpace(LabelColumnName)) yield return "LabelColumnName is empty; name the label column of TestSet.";
    }

    private static IEnumerable<string> Faults(string option, IReadOnlyList<double> values, string defaults)
    {
        if (values.Count == 0) yield return $"{option} is empty; name at least one (default: {defaults}).";
        foreach (var value in values.Where(value => !(value >= 0 && double.IsFinite(value)))) yield return $"{option} holds {value}; use values of 0 or more.";
        foreach (var twice in values.CountBy(value => value).Where(pair => pair.Value > 1)) yield return $"{option} holds {twice.Key} {twice.Value} times; name it once.";
    }
}
