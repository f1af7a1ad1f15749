using MLNetLoRA.Testing;

namespace MLNetLoRA.Modeling.Tests;

public sealed class AtomicFolderTests : IDisposable
{
    private static readonly string[] Opening = ["weights", "index"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_NewFolderBelowNewOnes_HoldsTheFiles()
    {
        AtomicFolder.Write(_folder.File("a/b"), Opening, stage => File.WriteAllText(Path.Combine(stage, "weights"), "new"));

        Assert.Equal("new", File.ReadAllText(_folder.File("a/b/weights")));
        Assert.Equal(["a"], _folder.Names());
    }

    [Fact]
    public void Write_FolderThatExists_ReplacesFilesDropsOldOpenersAndKeepsOthers()
    {
        foreach (var name in new[] { "weights", "index", "config", "notes" }) _folder.Write(name, "old");

        AtomicFolder.Write(_folder.FullName, Opening, stage =>
        {
            File.WriteAllText(Path.Combine(stage, "weights"), "new");
            File.WriteAllText(Path.Combine(stage, "config"), "new");
        });

        Assert.Equal(["config", "notes", "weights"], _folder.Names());
        Assert.Equal("newoldnew", string.Concat(_folder.Names().Select(name => File.ReadAllText(_folder.File(name)))));
    }

    [Fact]
    public void Write_FailureHalfway_LeavesNothingNewAndTheOldAsItWas()
    {
        _folder.Write("weights", "old");
        void Fail(string stage)
        {
            File.WriteAllText(Path.Combine(stage, "weights"), "half");
            throw new IOException("No space left on device");
        }

        var fault = Assert.Throws<IOException>(() => AtomicFolder.Write(_folder.FullName, Opening, Fail));
        Assert.Throws<IOException>(() => AtomicFolder.Write(_folder.File("new"), Opening, Fail));

        Assert.Equal($"{_folder.FullName}: nothing was written: No space left on device", fault.Message);
        Assert.Equal(["weights"], _folder.Names());
        Assert.Equal("old", File.ReadAllText(_folder.File("weights")));
    }

    [Fact]
    public void Write_FolderWhereAFileHasToGo_TouchesNothing()
    {
        _folder.Write("weights", "old");
        Directory.CreateDirectory(_folder.File("config"));

        Assert.Throws<IOException>(() => AtomicFolder.Write(_folder.FullName, Opening, stage => File.WriteAllText(Path.Combine(stage, "config"), "new")));

        Assert.Equal("old", File.ReadAllText(_folder.File("weights")));
    }
}
