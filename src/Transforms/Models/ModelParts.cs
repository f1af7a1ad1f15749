using Microsoft.ML;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Transforms;

/// <summary>Finds the fine-tuned model in a fitted or loaded one: as the last of its repairs left it.</summary>
internal static class ModelParts
{
    /// <summary>The fine-tuned model.</summary>
    /// <param name="model">A text classifier, or a chain.</param>
    /// <param name="scoreColumnName">The Score column of the one meant; null where there is only one.</param>
    /// <exception cref="ArgumentException">There is no such model, or several and no name.</exception>
    public static IFineTunedModel Find(ITransformer model, string? scoreColumnName)
    {
        ArgumentNullException.ThrowIfNull(model);
        var parts = TransformerParts.Of(model).ToList();
        var found = new Dictionary<string, IFineTunedModel>();
        foreach (var part in parts)
        {
            if (part is IModelRepair repair) Repair(found, repair);
            else if (part is IFineTunedModel classifier) found[classifier.Columns.Score] = classifier;
        }
        if (found.Count == 0)
            throw new ArgumentException(
                $"The model holds no fine-tuned text classifier ({string.Join(", ", parts.Select(part => part.GetType().Name))}). "
                + "Give one that LoraTextClassification or FullFineTuningTextClassification made, or a chain with one.");
        var names = string.Join(", ", found.Keys.Select(name => $"'{name}'"));
        if (scoreColumnName is null)
            return found.Count == 1
                ? found.Values.Single()
                : throw new ArgumentException(
                    $"The model holds {found.Count} fine-tuned text classifiers, with the score columns {names}. Set ScoreColumnName to one of them.");
        return found.GetValueOrDefault(scoreColumnName)
            ?? throw new ArgumentException($"The model has no fine-tuned text classifier with the score column '{scoreColumnName}'; there is {names}.");
    }

    private static void Repair(Dictionary<string, IFineTunedModel> found, IModelRepair repair)
    {
        // A copy of the only model's scores under another name leads to that model too.
        var name = found.ContainsKey(repair.ScoreColumnName) || found.Count != 1 ? repair.ScoreColumnName : found.Keys.Single();
        if (!found.TryGetValue(name, out var model))
            throw new ArgumentException(
                $"The {repair.Kind} of '{repair.ScoreColumnName}' is here without the classifier that it belongs to. Give the whole chain.");
        found[name] = repair.Over(model);
    }
}
