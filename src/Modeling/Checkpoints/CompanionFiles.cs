namespace MLNetLoRA.Modeling;

/// <summary>What lies beside a model's weights and belongs to it: configuration, tokenizer, notes.</summary>
internal static class CompanionFiles
{
    // Weights of any tool, a trainer's state among them: copies of them would contradict the new ones, or be large for nothing.
    private static readonly string[] WeightExtensions =
        [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".npz"];

    /// <summary>Copies all files of a folder, none of its folders, but weights, hidden files and those named.</summary>
    public static void Copy(string from, string to, params IReadOnlyList<string> except)
    {
        foreach (var path in Directory.EnumerateFiles(from))
        {
            var name = Path.GetFileName(path);
            if (name.StartsWith('.') || except.Contains(name) || WeightExtensions.Contains(Path.GetExtension(name).ToLowerInvariant())) continue;
            // Only the content: a file that must not be written would be one that nobody can replace.
            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            AtomicFile.Write(Path.Combine(to, name), source.CopyTo);
        }
    }
}
