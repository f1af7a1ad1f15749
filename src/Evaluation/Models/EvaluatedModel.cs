using Microsoft.ML;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;

namespace MLNetLoRA.Evaluation;

/// <summary>The fine-tuned classifier of a chain beside the base that it started from, held while both are compared.</summary>
internal sealed class EvaluatedModel : IDisposable
{
    private readonly SharedOwner<ClassifierScorer>.Share _share;

    private EvaluatedModel(SharedOwner<ClassifierScorer>.Share share, PretrainedModel? baseModel)
    {
        _share = share;
        var known = Classifier.Description.Base;
        if (baseModel is not null && baseModel.ContentHash != known.ContentHash)
            throw new ArgumentException(
                $"BaseModel is '{baseModel.Name}' (content {baseModel.ContentHash[..12]}…); the model was fine-tuned from '{known.Name}' "
                + $"(content {known.ContentHash[..12]}…). Give that checkpoint, or null where the model has it.");
        Base = baseModel ?? known;
    }

    /// <summary>The model as its last rescaling left it.</summary>
    public TextClassifier Classifier => _share.Resource.Classifier;

    /// <summary>The checkpoint itself, not the tuned model with its adapter off.</summary>
    public PretrainedModel Base { get; }

    /// <summary>"lora" or "full".</summary>
    public string Method => Classifier.Description.Lora is null ? "full" : "lora";

    /// <summary>Finds the model.</summary>
    /// <param name="model">A fitted or loaded text classifier, or a chain that holds one.</param>
    /// <param name="scoreColumnName">Which of several; null where there is only one.</param>
    /// <param name="baseModel">For a model that was saved without its base.</param>
    /// <exception cref="ArgumentException">There is no such model, or the base given is another.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static EvaluatedModel Find(ITransformer model, string? scoreColumnName, PretrainedModel? baseModel)
    {
        var share = ModelParts.Find(model, scoreColumnName).AcquireShare();
        try
        {
            return new EvaluatedModel(share, baseModel);
        }
        catch
        {
            share.Dispose();
            throw;
        }
    }

    public void Dispose() => _share.Dispose();
}
