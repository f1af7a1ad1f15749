using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetLoRA.Bench.Balancing;

/// <summary>A data set of short texts with classes: the first rows of its training file, all rows of its test file.</summary>
/// <param name="Name">In file names and on the command line.</param>
/// <param name="Title">In tables.</param>
/// <param name="IsOurs">Whether it is among the samples' data rather than in --data.</param>
/// <param name="TrainingFile">A TSV file with a header, class and text.</param>
/// <param name="TrainingRows">How many of its rows are learned.</param>
/// <param name="TestFile">Likewise.</param>
internal sealed record BalanceTask(string Name, string Title, bool IsOurs, string TrainingFile, int TrainingRows, string TestFile)
{
    public static readonly IReadOnlyList<BalanceTask> All =
    [
        new("sst2", "SST-2", false, "sst2/train.tsv", 2000, "sst2/dev.tsv"),
        new("trec", "TREC", false, "trec/train.tsv", 3000, "trec/test.tsv"),
        new("definitions", "WordNet categories", true, "definitions-train.tsv", 3000, "definitions-test.tsv"),
    ];

    public IDataView LoadTraining(MLContext ml, StudyFolders folders, int? most) =>
        ml.Data.TakeRows(Load(ml, folders, TrainingFile), Math.Min(TrainingRows, most ?? TrainingRows));

    public IDataView LoadTest(MLContext ml, StudyFolders folders, int? most)
    {
        var rows = Load(ml, folders, TestFile);
        return most is { } count ? ml.Data.TakeRows(rows, count) : rows;
    }

    private IDataView Load(MLContext ml, StudyFolders folders, string file)
    {
        var path = Path.Combine(IsOurs ? folders.Samples : folders.Data, file);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such file. {(IsOurs ? "--samples" : "--data")} is the folder that holds {file}.", path);
        return ml.Data.LoadFromTextFile<Row>(path, hasHeader: true, allowQuoting: false);
    }

    /// <summary>One labelled text; all files have these two columns, in this order.</summary>
    internal sealed class Row
    {
        [LoadColumn(0)]
        public string Class { get; set; } = "";

        [LoadColumn(1)]
        public string Text { get; set; } = "";
    }
}

/// <summary>Where the data is.</summary>
/// <param name="Data">The folder with sst2/ and trec/.</param>
/// <param name="Samples">The samples' data: definitions and retention text.</param>
/// <param name="Runs">One file per run goes here.</param>
internal sealed record StudyFolders(string Data, string Samples, string Runs);
