namespace MLNetLoRA.Trainers;

/// <summary>The fine-tuned classifier behind a Score column, as a later component of the chain sees it.</summary>
/// <remarks>Thread-safe.</remarks>
internal interface IFineTunedModel : ITextScorerSource
{
    /// <summary>The columns it reads and writes.</summary>
    TextColumns Columns { get; }

    /// <summary>Its classes.</summary>
    LabelValues Labels { get; }

    /// <summary>How it scores.</summary>
    ScoringSettings Settings { get; }

    /// <summary>A share in the classifier: it stays loaded until every share is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The transformer it belongs to was disposed.</exception>
    SharedOwner<ClassifierScorer>.Share AcquireShare();
}
