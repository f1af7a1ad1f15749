using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace MLNetLoRA.Modeling;

/// <summary>The files of one tokenizer by name, and the door through which their contents come: size, encoding and JSON are checked here.</summary>
internal sealed class TokenizerFileSet
{
    public const string TokenizerJson = "tokenizer.json";
    public const string VocabularyJson = "vocab.json";
    public const string Merges = "merges.txt";
    public const string VocabularyText = "vocab.txt";
    public const string SentencePieceBpe = "sentencepiece.bpe.model";
    public const string SentencePiece = "spiece.model";
    public const string TokenizerModel = "tokenizer.model";
    public const string TokenizerConfig = "tokenizer_config.json";
    public const string SpecialTokensMap = "special_tokens_map.json";
    public const string AddedTokens = "added_tokens.json";

    /// <summary>The largest tokenizers in use have about 20 MB; anything much larger is not one.</summary>
    private const int MaxFileBytes = 100_000_000;

    /// <summary>The names under which checkpoints carry a SentencePiece model, whichever its kind.</summary>
    public static readonly IReadOnlyList<string> SentencePieceModels = [SentencePieceBpe, SentencePiece, TokenizerModel];

    /// <summary>All files that a tokenizer may have; nothing else is read.</summary>
    public static readonly IReadOnlyList<string> KnownNames =
        [TokenizerJson, VocabularyJson, Merges, VocabularyText, .. SentencePieceModels, TokenizerConfig, SpecialTokensMap, AddedTokens];

    private readonly string _source;

    public TokenizerFileSet(IEnumerable<TokenizerFile> files, string source)
    {
        _source = source;
        Files = [.. files.Where(file => KnownNames.Contains(file.Name))];
        foreach (var file in Files)
        {
            if (Files.Count(other => other.Name == file.Name) > 1)
                throw new ArgumentException($"{source}: '{file.Name}' is given twice; give each tokenizer file once.", nameof(files));
            if (file.Content.Length > MaxFileBytes) throw TooLarge(Name(file.Name), file.Content.Length);
        }
    }

    public IReadOnlyList<TokenizerFile> Files { get; }

    /// <summary>Whether a folder holds a vocabulary in any form, good or bad.</summary>
    public static bool HasVocabulary(string folder) =>
        new[] { TokenizerJson, VocabularyJson, VocabularyText }.Concat(SentencePieceModels).Any(name => File.Exists(Path.Combine(folder, name)));

    /// <summary>Reads the tokenizer files of a folder, checking each size before reading it.</summary>
    public static IReadOnlyList<TokenizerFile> ReadFolder(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InvalidDataException($"{folder}: there is no such folder; name a folder with {Wanted}.");
        var files = new List<TokenizerFile>();
        foreach (var name in KnownNames)
        {
            var file = new FileInfo(Path.Combine(folder, name));
            if (!file.Exists) continue;
            if (file.Length > MaxFileBytes) throw TooLarge(file.FullName, file.Length);
            files.Add(new TokenizerFile(name, File.ReadAllBytes(file.FullName)));
        }
        return files;
    }

    public bool Has(string name) => Files.Any(file => file.Name == name);

    public bool AreEqual(string name, string other) => ReadBytes(name).Span.SequenceEqual(ReadBytes(other).Span);

    /// <summary>A file's name as error texts give it.</summary>
    public string Name(string name) => $"{_source}/{name}";

    public InvalidDataException Fault(string name, string text) => new($"{Name(name)}: {text}");

    /// <summary>A part of a file asks for something that this library does not do.</summary>
    public InvalidDataException Unsupported(string name, string part, string found, string wanted) => Fault(name,
        $"{part} '{found}' is not supported; supported: {wanted}. Use a checkpoint with the tokenizer of RoBERTa, BERT, XLM-RoBERTa, Llama or Qwen2.");

    public InvalidDataException NothingFound() => new($"{_source}: no tokenizer here; looked for {Wanted}.");

    public ReadOnlyMemory<byte> ReadBytes(string name) => Files.Single(file => file.Name == name).Content;

    public string ReadText(string name)
    {
        var bytes = Utf8Of(name);
        return Encoding.UTF8.GetString(bytes.Span);
    }

    /// <summary>Parses a file and hands its root to <paramref name="read"/>; a value of another kind than it reads is a fault of the file.</summary>
    public T ReadJson<T>(string name, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(Utf8Of(name));
            return read(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or OverflowException
            or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new InvalidDataException($"{Name(name)}: not the JSON of a tokenizer ({error.Message}) Download the file again.", error);
        }
    }

    private ReadOnlyMemory<byte> Utf8Of(string name)
    {
        var bytes = ReadBytes(name);
        if (!Utf8.IsValid(bytes.Span)) throw Fault(name, "not UTF-8 text. Download the file again.");
        return bytes.Span.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
    }

    private const string Wanted = $"{TokenizerJson}, or {VocabularyJson} and {Merges} (byte-level BPE), or {VocabularyText} (WordPiece), "
        + $"or {SentencePieceBpe}, {SentencePiece} or {TokenizerModel} (SentencePiece)";

    private static InvalidDataException TooLarge(string name, long length) =>
        new($"{name}: {length / 1_000_000} MB, and a tokenizer file has at most {MaxFileBytes / 1_000_000} MB; check that this is the right file.");
}
