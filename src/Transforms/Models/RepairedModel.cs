using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>A fine-tuned model with its matrices corrected: what a repair makes of the model upstream.</summary>
/// <remarks>
/// Its network is built over the model's own weights when somebody wants to score and freed with the last one who does; without corrections
/// it is the model's own. Thread-safe.
/// </remarks>
/// <param name="inner">The model upstream.</param>
/// <param name="component">The component that repaired it, as the user typed it.</param>
/// <param name="acquireCorrections">Gives a share in the corrections, or throws when the transformer that owns them was disposed.</param>
internal sealed class RepairedModel(IFineTunedModel inner, string component, Func<SharedOwner<ModelCorrections>.Share> acquireCorrections) : IFineTunedModel
{
    private readonly Lock _building = new();
    private SharedOwner<ClassifierScorer>? _current;

    public TextColumns Columns => inner.Columns with { Component = component };

    public LabelValues Labels => inner.Labels;

    public ScoringSettings Settings => inner.Settings;

    public SharedOwner<ClassifierScorer>.Share AcquireShare()
    {
        using var corrections = acquireCorrections();
        // Asked first: a model that was disposed gives no new shares, whoever still scores.
        var upstream = inner.AcquireShare();
        if (corrections.Resource.IsEmpty) return upstream;
        using (upstream)
        {
            lock (_building)
            {
                if (_current?.TryAcquire() is { } living) return living;
                _current = new SharedOwner<ClassifierScorer>(Build(upstream.Resource, corrections.Resource));
                return _current.Acquire();
            }
        }
    }

    ScorerLease ITextScorerSource.Acquire() => ScorerLease.Of(AcquireShare());

    private ClassifierScorer Build(ClassifierScorer upstream, ModelCorrections corrections)
    {
        if (ModelFingerprint.Of(upstream.Classifier) != corrections.ModelFingerprint)
            throw new InvalidDataException(
                $"{component} was fitted for another fine-tuned model than the one behind '{inner.Columns.Score}'. Fit it again, in a chain with this one.");
        return new ClassifierScorer(corrections.Over(upstream.Classifier), Settings.ScoreKind);
    }
}
