using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Cli.Input;

namespace MLNetLoRA.Cli.Scoring;

/// <summary>A saved ML.NET model that predicts a class from text columns.</summary>
internal sealed class SavedModel : IDisposable
{
    public const string PredictedLabelColumn = "PredictedLabel";
    public const string ScoreColumn = "Score";

    private readonly MLContext _ml;
    private readonly ITransformer _model;
    private readonly DataViewSchema _inputs;
    private readonly string _path;

    private SavedModel(MLContext ml, string path, ITransformer model, DataViewSchema inputs)
    {
        (_ml, _path, _model, _inputs) = (ml, path, model, inputs);
        TextColumns = FindTextColumns();
    }

    /// <summary>The text columns that it reads, in its own order.</summary>
    public IReadOnlyList<string> TextColumns { get; }

    /// <summary>The model itself; goes with this.</summary>
    public ITransformer Transformer => _model;

    /// <exception cref="BadInputException">There is no such file, it is damaged, or the model predicts no class from text.</exception>
    public static SavedModel Load(MLContext ml, string path) =>
        ModelFile.Open(ml, path, "a model saved by train --out was wanted", (model, inputs) => new SavedModel(ml, path, model, inputs
            ?? throw new BadInputException($"{path}: the model was saved without its input schema; save it with the training data's.")));

    /// <summary>The columns to read of a file with this header: what the model needs.</summary>
    /// <exception cref="BadInputException">One is not there.</exception>
    public IReadOnlyList<string> ChooseColumns(IReadOnlyList<string> header)
    {
        var missing = TextColumns.Except(header).ToList();
        return missing.Count == 0 ? TextColumns : throw new BadInputException(
            $"The data lacks {(missing.Count == 1 ? "a column" : "columns")} that {_path} reads: {TextTable.List(missing)}; "
            + $"its header has {TextTable.List(header)}.");
    }

    /// <summary>A lazy view of the scored rows; PredictedLabel is text.</summary>
    public IDataView Score(TextTable table)
    {
        var scored = _model.Transform(new TextTableView(table, _inputs));
        if (scored.Schema[PredictedLabelColumn].Type is KeyDataViewType)
            scored = _ml.Transforms.Conversion.MapKeyToValue(PredictedLabelColumn).Fit(scored).Transform(scored);
        return scored.Schema[PredictedLabelColumn].Type is TextDataViewType
            ? scored
            : _ml.Transforms.Conversion.ConvertType(PredictedLabelColumn, outputKind: DataKind.String).Fit(scored).Transform(scored);
    }

    public void Dispose() => (_model as IDisposable)?.Dispose();

    // The model's input schema has the label and whatever else the training data had; asking which inputs the predictions
    // depend on leaves what a file must have.
    private IReadOnlyList<string> FindTextColumns()
    {
        if (!_model.IsRowToRowMapper) throw new BadInputException($"{_path}: the model does not score rows one by one, as predict does.");
        var mapper = _model.GetRowToRowMapper(_inputs);
        var outputs = mapper.OutputSchema;
        if (outputs.GetColumnOrNull(PredictedLabelColumn) is not { } predicted
            || outputs.GetColumnOrNull(ScoreColumn) is not { Type: VectorDataViewType { IsKnownSize: true } scores } score
            || scores.ItemType != NumberDataViewType.Single)
        {
            throw new BadInputException($"{_path}: the model has no columns '{PredictedLabelColumn}' and '{ScoreColumn}' with one number per class; "
                + "predict runs multiclass classification models.");
        }
        var needed = mapper.GetDependencies([predicted, score]).ToList();
        if (needed.Find(column => column.Type is not TextDataViewType) is { Name: not null } other)
            throw new BadInputException($"{_path}: the model reads column '{other.Name}' of type {other.Type}; predict gives text columns only.");
        return [.. needed.Select(column => column.Name).Distinct()];
    }
}
