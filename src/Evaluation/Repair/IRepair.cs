using MLNetLoRA.Transforms;

namespace MLNetLoRA.Evaluation;

/// <summary>A way to repair one fine-tuned model, at any strength, by what it changes in its matrices.</summary>
internal interface IRepair
{
    /// <summary>What it is called.</summary>
    RepairMethod Method { get; }

    /// <summary>The strengths to measure, ascending.</summary>
    IReadOnlyList<double> Strengths { get; }

    /// <summary>The strength that changes nothing.</summary>
    double Untouched { get; }

    /// <summary>What it does at one strength; cheap, until corrections are asked for.</summary>
    RepairTrial At(double strength);
}

/// <summary>A repair at one strength.</summary>
/// <param name="Key">Equal for trials that do the same, so that each is measured once; empty where nothing changes.</param>
/// <param name="MakeCorrections">Makes the corrections by checkpoint key of the matrix without ".weight"; whoever calls it disposes them.</param>
internal sealed record RepairTrial(string Key, Func<ModelCorrections> MakeCorrections);
