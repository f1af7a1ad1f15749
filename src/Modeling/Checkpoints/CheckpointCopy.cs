using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>A checkpoint written again with other values for some of its tensors: everything else stays to the byte.</summary>
/// <remarks>Shards stay shards, and files keep their names, headers and metadata. One tensor is in memory at a time.</remarks>
internal static class CheckpointCopy
{
    /// <summary>Writes the copy, complete or not at all.</summary>
    /// <param name="checkpoint">What is copied.</param>
    /// <param name="path">Where it was opened: of a folder, what lies beside the weights is copied too; a single file becomes model.safetensors.</param>
    /// <param name="folder">Created when missing; a model in it is replaced.</param>
    /// <param name="replace">Asked once for each tensor: its new value, which is disposed here, or null to keep the stored bytes.</param>
    /// <exception cref="ArgumentException">A replacement has another shape or element type.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void Write(Checkpoint checkpoint, string path, string folder, Func<string, Tensor?> replace) =>
        AtomicFolder.Write(folder, [Checkpoint.FileName, ShardIndex.FileName], stage =>
        {
            var isFolder = Directory.Exists(path);
            var isWhole = checkpoint.Files.Count == 1 && Path.GetFileName(checkpoint.Files.Single().Source) == Checkpoint.FileName;
            if (isFolder) CompanionFiles.Copy(path, stage, isWhole ? [ShardIndex.FileName] : []);
            foreach (var file in checkpoint.Files)
            {
                var name = isFolder ? Path.GetFileName(file.Source) : Checkpoint.FileName;
                AtomicFile.Write(Path.Combine(stage, name), stream => file.CopyTo(
                    stream, entry => checkpoint.IsReadFrom(file, entry.Name) ? replace(entry.Name) : null));
            }
        });
}
