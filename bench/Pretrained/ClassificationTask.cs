using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Bench.Pretrained;

/// <summary>A data set of short texts with classes: the first rows of its training file, all rows of its test file.</summary>
internal sealed record ClassificationTask(string Name, string Title, string TrainingFile, int TrainingRows, string TestFile)
{
    public static readonly IReadOnlyList<ClassificationTask> All =
    [
        new("sst2", "SST-2, first 2,000 rows", "sst2/train.tsv", 2000, "sst2/dev.tsv"),
        new("trec", "TREC, first 3,000 rows", "trec/train.tsv", 3000, "trec/test.tsv"),
    ];

    public IDataView LoadTraining(MLContext ml, string folder) => ml.Data.TakeRows(Load(ml, folder, TrainingFile), TrainingRows);

    public IDataView LoadTest(MLContext ml, string folder) => Load(ml, folder, TestFile);

    private static IDataView Load(MLContext ml, string folder, string file)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such file. --data is the folder that holds {file}.", path);
        return ml.Data.LoadFromTextFile<Row>(path, hasHeader: true, allowQuoting: false);
    }

    /// <summary>One labelled text; both files have these two columns, in this order.</summary>
    internal sealed class Row
    {
        [LoadColumn(0)]
        public string Class { get; set; } = "";

        [LoadColumn(1)]
        public string Text { get; set; } = "";
    }
}
