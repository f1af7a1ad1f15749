using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>Finds the fine-tuned model behind a Score column, and says where to place a component that cannot find it.</summary>
/// <param name="component">The component as the user typed it.</param>
/// <param name="scoreColumnName">The column that leads to the model.</param>
internal sealed class UpstreamModel(string component, string scoreColumnName)
{
    /// <summary>Asks a pipeline that has not been fitted yet.</summary>
    /// <exception cref="ArgumentException">The column will not lead to a model.</exception>
    public void Check(SchemaShape shape)
    {
        var score = shape.LastOrDefault(column => column.Name == scoreColumnName);
        if (score.Name is not null && FineTunedModelAnnotation.IsOn(score)) return;
        throw Missing(score.Name is not null, wasOverwritten: false, [.. shape.Where(FineTunedModelAnnotation.IsOn).Select(column => column.Name)], nameof(shape));
    }

    /// <summary>The model, whose text columns are as it read them.</summary>
    /// <exception cref="ArgumentException">The column does not lead to a model, or a text column is gone or no longer what the model read.</exception>
    /// <exception cref="ObjectDisposedException">Nothing is left that can score with the model.</exception>
    public IFineTunedModel Find(DataViewSchema schema)
    {
        if (schema.GetColumnOrNull(scoreColumnName) is not { } score || !FineTunedModelAnnotation.IsOn(score))
        {
            var wasOverwritten = schema.Any(column => column.IsHidden && column.Name == scoreColumnName && FineTunedModelAnnotation.IsOn(column));
            var others = schema.Where(column => !column.IsHidden && FineTunedModelAnnotation.IsOn(column)).Select(column => column.Name).ToList();
            throw Missing(schema.GetColumnOrNull(scoreColumnName) is not null, wasOverwritten, others, nameof(schema));
        }
        var reference = FineTunedModelAnnotation.Reference(score);
        var model = reference.Model
            ?? throw new ObjectDisposedException(
                component,
                $"The model behind column '{scoreColumnName}' is gone: only its schema was kept. Keep the fitted model, and dispose it last.");
        CheckText(schema, score, reference, model.Columns.Sentence1);
        if (model.Columns.Sentence2 is { } second) CheckText(schema, score, reference, second);
        return model;
    }

    private ArgumentException Missing(bool isThere, bool wasOverwritten, List<string> others, string parameter)
    {
        const string Trainers = "LoraTextClassification or FullFineTuningTextClassification";
        var message = (isThere, wasOverwritten) switch
        {
            _ when others.Count > 0 =>
                $"Column '{scoreColumnName}' has no fine-tuned model behind it; {string.Join(", ", others.Select(name => $"'{name}'"))} "
                + $"{(others.Count > 1 ? "have" : "has")}. Set ScoreColumnName to the scores of the model that {component} is for.",
            (_, true) =>
                $"Column '{scoreColumnName}' was made anew from a fine-tuned model's scores (as NormalizeMinMax and Concatenate do), and the way to "
                + $"the model was lost with the old one. Append {component} right after the trainer, before what makes '{scoreColumnName}' anew.",
            (true, _) =>
                $"Column '{scoreColumnName}' has no fine-tuned model behind it: another trainer wrote it, or something made it anew (as "
                + $"NormalizeMinMax and Concatenate do). Append {component} right after {Trainers}.",
            _ =>
                $"There is no column '{scoreColumnName}', so no fine-tuned model upstream. Append {component} after {Trainers}, and set "
                + "ScoreColumnName where that trainer's is another.",
        };
        return new ArgumentException(message, parameter);
    }

    // The model reads the text again, so it must be the same text. A column that overwrites another stands beside it, one of a new name at the end.
    private void CheckText(DataViewSchema schema, DataViewSchema.Column score, FineTunedModelReference reference, string name)
    {
        if (schema.GetColumnOrNull(name) is not { } text)
            throw Unreadable($"Column '{name}', which the fine-tuned model reads, was dropped. Append {component} before what drops it.");
        if (text.Type is not TextDataViewType)
            throw Unreadable(
                $"Column '{name}' holds {ColumnCheck.Describe(text.Type)}, and the fine-tuned model read text there. "
                + $"Append {component} before what changes the column.");
        if (reference.IsOverwritten(name, schema))
            throw Unreadable(
                $"Column '{name}' was overwritten after the fine-tuned model read it. Append {component} before what writes it anew.");
        if (text.Index > score.Index)
            throw Unreadable(
                $"Column '{name}' stands behind '{scoreColumnName}', so it is not the one that the fine-tuned model read. Append {component} before "
                + $"what writes it anew, or, where columns were only put in another order, select '{name}' before '{scoreColumnName}'.");

        static ArgumentException Unreadable(string message) => new(message, nameof(schema));
    }
}
