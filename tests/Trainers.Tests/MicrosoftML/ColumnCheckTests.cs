using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Trainers.Tests;

public class ColumnCheckTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly IDataView _data;

    public ColumnCheckTests() => _data = TextTable.Create(_ml, 3);

    [Theory]
    [InlineData("Fixed", "Column 'Fixed' holds Vector<Single>; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    [InlineData("Variable", "Column 'Variable' holds Vector<Single>; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    [InlineData("Tags", "Column 'Tags' holds Vector<Text>; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    [InlineData("Label", "Column 'Label' holds Key; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    [InlineData("Number", "Column 'Number' holds Single; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    [InlineData("Review", "There is no column 'Review'; LoraTextClassification reads text. Set Sentence1ColumnName to the raw text column (text columns here: 'Title', 'Body').")]
    public void Sentence1_NotText_IsNamedWithWhatToDo(string column, string message)
    {
        var columns = TextTable.SingleColumns with { Sentence1 = column };
        AssertRefusedEverywhere(columns, "Label", message, labelIsChecked: false);
    }

    [Fact]
    public void Sentence2_NotText_NamesItsOwnOption() =>
        AssertRefusedEverywhere(TextTable.PairColumns with { Sentence2 = "Flag" }, "Label",
            "Column 'Flag' holds Boolean; LoraTextClassification reads text. Set Sentence2ColumnName to the raw text column (text columns here: 'Title', 'Body').",
            labelIsChecked: false);

    [Theory]
    [InlineData("Title", "Column 'Title' holds Text; LoraTextClassification learns from a key. Append mlContext.Transforms.Conversion.MapValueToKey(\"Title\") before the trainer.")]
    [InlineData("Number", "Column 'Number' holds Single; LoraTextClassification learns from a key. Append mlContext.Transforms.Conversion.MapValueToKey(\"Number\") before the trainer.")]
    [InlineData("TagKeys", "Column 'TagKeys' holds Vector<Key>; LoraTextClassification learns from a key. Append mlContext.Transforms.Conversion.MapValueToKey(\"TagKeys\") before the trainer.")]
    [InlineData("Class", "There is no column 'Class'; LoraTextClassification learns from a key column. Set LabelColumnName to the label (key columns here: 'Label').")]
    public void Label_NotAKey_IsNamedWithWhatToDo(string label, string message) =>
        AssertRefusedEverywhere(TextTable.SingleColumns, label, message, labelIsChecked: true);

    [Fact]
    public void OutputColumns_OfOneName_AreRefused() =>
        AssertRefusedEverywhere(TextTable.SingleColumns with { Score = "Result", PredictedLabel = "Result" }, "Label",
            "ScoreColumnName and OutputColumnName are both 'Result'; give the two columns different names.", labelIsChecked: false);

    [Fact]
    public void Columns_SeveralWrong_AreAllInOneException()
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => new FakeTextTrainer(_ml, new("FullFineTuningTextClassification", "No", "Number", "S", "P"), "Body")
            .GetOutputSchema(SchemaShape.Create(_data.Schema)));
        Assert.Contains("There is no column 'No'; FullFineTuningTextClassification reads text.", error.Message);
        Assert.Contains("Column 'Number' holds Single", error.Message);
        Assert.Contains("Column 'Body' holds Text", error.Message);
    }

    [Fact]
    public void Columns_NoTextAnywhere_SaysSo()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new { Number = 1f } });
        var error = Assert.ThrowsAny<ArgumentException>(() => new ColumnCheck("X", data.Schema).RequireText("Body", "Sentence1ColumnName").ThrowIfFaulty(null!, "input"));
        Assert.Contains("(there are no text columns here)", error.Message);
    }

    [Fact]
    public void HiddenColumn_OfTheRightType_DoesNotCount()
    {
        var hidden = _ml.Transforms.Conversion.ConvertType("Body", "Number", DataKind.Double).Fit(_data).Transform(_data);
        var error = Assert.ThrowsAny<ArgumentException>(() => TextTable.Transformer(_ml, _data).Transform(hidden));
        Assert.Contains("Column 'Body' holds Double", error.Message);
        Assert.Contains("(text columns here: 'Title')", error.Message);
    }

    [Fact]
    public void OutputShape_OfATrainer_MatchesTheSchemaItsTransformerPutsOut()
    {
        var shape = new FakeTextTrainer(_ml, TextTable.SingleColumns).GetOutputSchema(SchemaShape.Create(_data.Schema));
        var actual = SchemaShape.Create(TextTable.Transformer(_ml, _data).GetOutputSchema(_data.Schema));
        foreach (var column in actual)
        {
            Assert.True(shape.TryFindColumn(column.Name, out var promised), column.Name);
            Assert.Equal(column.GetTypeString(), promised.GetTypeString());
            Assert.Equal(column.Annotations.Select(a => a.Name).Order(), promised.Annotations.Select(a => a.Name).Order());
        }
        Assert.Equal(actual.Count, shape.Count);
    }

    private void AssertRefusedEverywhere(TextColumns columns, string label, string message, bool labelIsChecked)
    {
        var inPipeline = Assert.ThrowsAny<ArgumentException>(() => new FakeTextTrainer(_ml, columns, label).GetOutputSchema(SchemaShape.Create(_data.Schema)));
        Assert.StartsWith(message, inPipeline.Message);
        var inData = Assert.ThrowsAny<ArgumentException>(() =>
        {
            if (labelIsChecked) new ColumnCheck(columns.Component, _data.Schema).RequireLabel(label).ThrowIfFaulty(null!, "input");
            else TextTable.Transformer(_ml, _data, columns).Transform(_data);
        });
        Assert.StartsWith(message, inData.Message);
    }
}
