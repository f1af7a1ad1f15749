using System.IO.Compression;
using Microsoft.ML;
using MLNetLoRA.Modeling;

namespace MLNetLoRA;

/// <summary>Saving models so that a failure costs nothing, beside ML.NET's own saving.</summary>
public static class ModelSavingCatalog
{
    /// <summary>Saves a model of any kind as a file that is either complete or not there, replacing an old one only when all is written.</summary>
    /// <remarks>
    /// ML.NET's own Save(model, schema, path) empties an old file before it writes the new one, in place: when saving fails, the disk being
    /// full for example, both are lost; and an error while it closes the zip goes unsaid. This writes beside the path, opens the zip again
    /// to see that it is whole, flushes it to the disk and renames it. The file is the same, and mlContext.Model.Load reads it.
    /// </remarks>
    /// <param name="catalog">mlContext.Model.</param>
    /// <param name="model">Any transformer, a chain included.</param>
    /// <param name="inputSchema">The schema of the model's input, to come back from Load; null for none.</param>
    /// <param name="path">The file; its folder must exist. A symbolic link stays one: the file it points to is replaced.</param>
    /// <exception cref="DirectoryNotFoundException">The folder of <paramref name="path"/> does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder, or the file there, must not be written.</exception>
    /// <exception cref="IOException"><paramref name="path"/> is a folder, or writing failed; an old file is untouched.</exception>
    /// <exception cref="InvalidDataException">The checkpoint that a model embeds or refers to has changed; an old file is untouched.</exception>
    public static void SaveAtomically(this ModelOperationsCatalog catalog, ITransformer model, DataViewSchema? inputSchema, string path)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        WriteZip(path, stream => catalog.Save(model, inputSchema, stream));
    }

    internal static void WriteZip(string path, Action<Stream> write) => AtomicFile.Write(path, stream =>
    {
        write(stream);
        if (stream.CanRead) CheckWhole(stream, path);       // not a device
    });

    // ML.NET keeps silent about an error in closing the zip, which is when the list of its entries is written; without that list it does not open.
    private static void CheckWhole(Stream stream, string path)
    {
        stream.Position = 0;
        try
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            _ = zip.Entries;
        }
        catch (InvalidDataException e)
        {
            throw new IOException($"{path}: the model file could not be completed ({e.Message}); see whether the disk is full, and save again.", e);
        }
    }
}
