using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>A transformer that repairs the fine-tuned model behind a Score column.</summary>
internal interface IModelRepair
{
    /// <summary>What it does, as a noun for messages: "rescaling".</summary>
    string Kind { get; }

    /// <summary>The score column by which the model is found.</summary>
    string ScoreColumnName { get; }

    /// <summary>The repaired form of a model.</summary>
    IFineTunedModel Over(IFineTunedModel model);
}
