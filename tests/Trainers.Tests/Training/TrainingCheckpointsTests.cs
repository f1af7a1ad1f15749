using MLNetLoRA.Testing;

namespace MLNetLoRA.Trainers.Tests.Training;

/// <summary>The folder alone; what is in a checkpoint is tested with a run around it.</summary>
public sealed class TrainingCheckpointsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_WhileAnotherRunHasTheFolder_IsRefused()
    {
        using (TrainingCheckpoints.Open(_folder.FullName, 1, resume: false))
        {
            var error = Assert.Throws<IOException>(() => TrainingCheckpoints.Open(_folder.FullName, 1, resume: true));
            Assert.Contains("another run is writing them", error.Message, StringComparison.Ordinal);
        }
        TrainingCheckpoints.Open(_folder.FullName, 1, resume: true).Dispose();
    }

    [Fact]
    public void Open_ToResume_TakesTheLatestByNumberAndIgnoresStrangers()
    {
        foreach (var name in new[] { "step-9", "step-10", "step-x", "step--3", "step-99999999999999999999", "other" }) Directory.CreateDirectory(_folder.File(name));

        using var checkpoints = TrainingCheckpoints.Open(_folder.FullName, 1, resume: true);

        Assert.Equal(_folder.File("step-10"), checkpoints.ResumedFrom);
    }

    [Fact]
    public void Open_AfterACrashWhileWriting_RemovesWhatWasUnfinished()
    {
        Directory.CreateDirectory(_folder.File(".unfinished-0123"));
        File.WriteAllText(_folder.File(".unfinished-0123/model.safetensors"), "half");

        using var checkpoints = TrainingCheckpoints.Open(_folder.FullName, 1, resume: true);

        Assert.Null(checkpoints.ResumedFrom);
        Assert.Equal([".lock"], _folder.Names());
    }

    [Fact]
    public void Open_WhereAFileIs_SaysThatNothingCanBeWritten()
    {
        var error = Assert.Throws<IOException>(() => TrainingCheckpoints.Open(_folder.Write("file", ""), 1, resume: false));
        Assert.Contains("checkpoints cannot be written there", error.Message, StringComparison.Ordinal);
    }
}
