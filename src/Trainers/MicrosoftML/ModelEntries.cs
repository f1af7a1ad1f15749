using System.Collections.Concurrent;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.ML;

namespace MLNetLoRA.Trainers;

/// <summary>Named files of a component inside the model zip, beside its header stream: weights and JSON.</summary>
/// <remarks>
/// Entries are stored, not deflated (random weights do not compress; deflating them took ten times as long), and sit in the component's own folder, so
/// any number of components in a chain keep theirs apart. ML.NET extracts an entry to a temporary file when it is read.
/// </remarks>
internal static class ModelEntries
{
    private const int MaxJsonBytes = 16 << 20;

    /// <summary>Writes an entry.</summary>
    /// <param name="ctx">The context handed to the component's Save.</param>
    /// <param name="name">Letters, digits, '.', '-' and '_'; not starting with a dot; unique within the component.</param>
    /// <param name="write">Writes the content; it must not save other entries meanwhile, a zip is written one entry at a time.</param>
    public static void Save(ModelSaveContext ctx, string name, Action<Stream> write)
    {
        var path = PathOf(ctx.Directory, name);
        // ML.NET keeps the names it has written here, under the system's separator; sharing the list keeps the zip free of doubles.
        if (!WrittenPaths(ctx.Repository).TryAdd(path.Replace('/', Path.DirectorySeparatorChar), ""))
            throw new InvalidOperationException($"The model already has an entry '{path}'.");
        using var stream = Archive(ctx.Repository).CreateEntry(path, CompressionLevel.NoCompression).Open();
        write(stream);
    }

    /// <summary>Reads an entry as a seekable stream that is valid during <paramref name="read"/>.</summary>
    /// <exception cref="InvalidDataException">No such entry, or one whose sizes or checksum do not fit its content.</exception>
    public static T Load<T>(ModelLoadContext ctx, string name, Func<Stream, T> read)
    {
        var path = PathOf(ctx.Directory, name);
        var entry = Find(ctx.Repository, path) ?? throw new InvalidDataException($"The model file has no entry '{path}'; it is incomplete, save the model again.");
        // Stored entries are as long as they claim to be, so a small file cannot fill the disk when it is extracted.
        if (entry.Length != entry.CompressedLength)
            throw new InvalidDataException($"The model file's entry '{path}' is compressed ({entry.CompressedLength:N0} bytes of {entry.Length:N0}); this version stores it plain. The file was changed after it was saved.");

        using var opened = Open(ctx, name, path);
        if (opened.Stream.Length != entry.Length)
            throw new InvalidDataException($"The model file's entry '{path}' has {opened.Stream.Length:N0} bytes, {entry.Length:N0} were saved; the file is damaged.");
        if (ZipChecksum.Of(opened.Stream) is var found && found != entry.Crc32)
            throw new InvalidDataException($"The model file's entry '{path}' has checksum {found:x8}, {entry.Crc32:x8} was saved; the file is damaged.");
        opened.Stream.Position = 0;
        return read(opened.Stream);
    }

    /// <summary>Whether the component has an entry of this name.</summary>
    public static bool Exists(ModelLoadContext ctx, string name) => Find(ctx.Repository, PathOf(ctx.Directory, name)) is not null;

    /// <summary>Writes a value as a JSON entry.</summary>
    public static void SaveJson<T>(ModelSaveContext ctx, string name, T value, JsonTypeInfo<T> type) =>
        Save(ctx, name, stream => JsonSerializer.Serialize(stream, value, type));

    /// <summary>Reads a JSON entry.</summary>
    /// <exception cref="InvalidDataException">No such entry, larger than 16 MiB, or not the JSON of a <typeparamref name="T"/>.</exception>
    public static T LoadJson<T>(ModelLoadContext ctx, string name, JsonTypeInfo<T> type) => Load(ctx, name, stream =>
    {
        if (stream.Length > MaxJsonBytes)
            throw new InvalidDataException($"The model file's entry '{name}' has {stream.Length:N0} bytes; at most {MaxJsonBytes:N0} are read as JSON.");
        try
        {
            return JsonSerializer.Deserialize(stream, type) ?? throw new InvalidDataException($"The model file's entry '{name}' is null.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The model file's entry '{name}' is not valid: {e.Message}", e);
        }
    });

    private static string PathOf(string? directory, string name)
    {
        if (name.Length is 0 or > 100 || name[0] == '.' || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
            throw new ArgumentException($"'{name}' cannot name an entry; use up to 100 ASCII letters, digits, '.', '-' and '_'.", nameof(name));
        return string.IsNullOrEmpty(directory) ? name : $"{directory.Replace('\\', '/')}/{name}";
    }

    private static ZipArchiveEntry? Find(RepositoryReader repository, string path) =>
        ReadableEntries(repository).FirstOrDefault(entry => entry.Key.Replace('\\', '/') == path).Value;

    private static Repository.Entry Open(ModelLoadContext ctx, string name, string path)
    {
        try
        {
            return ctx.Repository.OpenEntry(ctx.Directory, name);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"The model file's entry '{path}' cannot be read: {e.Message}", e);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_archive")]
    private static extern ref ZipArchive Archive(RepositoryWriter repository);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "PathMap")]
    private static extern ref ConcurrentDictionary<string, string> WrittenPaths(Repository repository);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_entries")]
    private static extern ref Dictionary<string, ZipArchiveEntry> ReadableEntries(RepositoryReader repository);
}
