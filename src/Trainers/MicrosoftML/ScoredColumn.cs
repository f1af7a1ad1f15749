using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers;

/// <summary>A column that a text model computes from its scores of a row.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">What it holds.</param>
/// <param name="Annotations">What is known of it beforehand; null for nothing.</param>
/// <param name="CreateGetter">Makes a <see cref="ValueGetter{TValue}"/> of the type over the scores of the current row.</param>
internal sealed record ScoredColumn(
    string Name, DataViewType Type, DataViewSchema.Annotations? Annotations, Func<CurrentScores, Delegate> CreateGetter);
