using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Evaluation;

/// <summary>A stage's fitted model, repaired where that was asked for. Owns it.</summary>
internal sealed class LearnedStage : IDisposable
{
    private readonly ITransformer _fitted;

    private LearnedStage(ITransformer fitted)
    {
        _fitted = fitted;
        Training = TransformerParts.Of(fitted).OfType<TextClassificationTransformer>().First().TrainingReport;
        Model = EvaluatedModel.Find(fitted, scoreColumnName: null, baseModel: null);
    }

    /// <summary>What the fit did.</summary>
    public TrainingReport Training { get; }

    /// <summary>The model as the repair left it.</summary>
    public EvaluatedModel Model { get; }

    /// <summary>Trains, and repairs.</summary>
    /// <param name="trainer">Of the stage.</param>
    /// <param name="repair">Comes after the trainer; null for nothing.</param>
    /// <param name="rows">The stage's training rows.</param>
    public static LearnedStage Fit(TextClassificationTrainer trainer, IEstimator<ITransformer>? repair, IDataView rows)
    {
        var tuned = trainer.Fit(rows);
        ITransformer fitted = tuned;
        try
        {
            // Not as one chain of estimators: that forgets the first model when the second fit fails.
            if (repair is not null) fitted = new TransformerChain<ITransformer>(tuned, repair.Fit(tuned.Transform(rows)));
            return new LearnedStage(fitted);
        }
        catch
        {
            (fitted as IDisposable)?.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        (_fitted as IDisposable)?.Dispose();
    }
}
