using MLNetLoRA.Evaluation;

namespace MLNetLoRA;

/// <summary>What ways of fine-tuning did to a pretrained model, beside what arXiv 2410.21228 found.</summary>
/// <remarks>Immutable and thread-safe; holds no tensor. Losses in nats, accuracies and shares in [0, 1], times in seconds.</remarks>
public sealed record StudyReport
{
    /// <summary>What all runs had in common.</summary>
    public required StudySetup Setup { get; init; }

    /// <summary>Every finding of the paper, with what this study found.</summary>
    public required IReadOnlyList<StudyClaim> Claims { get; init; }

    /// <summary>Averages over seeds.</summary>
    public required IReadOnlyList<StudyPoint> Points { get; init; }

    /// <summary>Each way beside full fine-tuning, at the same task accuracy; empty without full fine-tuning.</summary>
    public required IReadOnlyList<StudyComparison> AtEqualAccuracy { get; init; }

    /// <summary>What in the weights goes with forgetting, over several groups of runs of five or more.</summary>
    public required IReadOnlyList<StudyCorrelation> Correlations { get; init; }

    /// <summary>Every run.</summary>
    public required IReadOnlyList<StudyRun> Runs { get; init; }

    /// <summary>Trainings that came to nothing.</summary>
    public required IReadOnlyList<StudyFailure> Failures { get; init; }

    /// <summary>How long this study took; runs that were kept from an earlier one took their own time.</summary>
    public required double Seconds { get; init; }

    /// <summary>The report as a document with pictures.</summary>
    public ReportDocument ToDocument() => StudyDocument.Of(this);

    /// <summary>The report as Markdown, without pictures.</summary>
    public string ToMarkdown()
    {
        var document = ToDocument();
        var sections = document.Sections.Select(section => section with { Parts = [.. section.Parts.Where(part => part is not ReportPicture)] });
        return (document with { Sections = [.. sections.Where(section => section.Parts.Count > 0)] }).ToMarkdown();
    }

    /// <summary>The numbers as one JSON object, names in snake_case, null for what there is not; single matrices and their pictures are left out.</summary>
    public string ToJson() => ReportJson.Of(this with { Runs = [.. Runs.Select(run => run with { Matrices = [], Similarity = null })] });
}
