// Makes the pretraining corpus from the packages that fetch.sh unpacked.
//
//   dotnet run eng/pretrain/prepare.cs -- [RAW_FOLDER] [OUTPUT_FOLDER]
//
// Reads sources.json; writes train.txt, of the word lists words.txt, one heldout-SOURCE.txt for each source, sizes.md,
// and into samples/data retention.txt. Plain text: one paragraph a line, a blank line ends a document. The same
// packages always give the same files.
#:property PublishAot=false

using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

const double HeldOutShare = 0.02;
const int FewestWords = 5;
const int LongestParagraph = 1200;              // characters; longer ones are split at a sentence's end
const int ShortestRepeat = 40;                  // characters; a longer paragraph seen before is boilerplate
const int EntriesPerDocument = 8;               // of WordNet and the dictionaries
const int TreebankEvery = 5;                    // each fifth document is written as older data sets are
const int FewestDrawn = 8, MostDrawn = 24;        // synonyms in a line of the thesaurus
const int ThesaurusPasses = 4;
const int WordsPerLine = 20;                    // of a word list
const int ListPasses = 20;
const int RetentionBytesPerSource = 24_000;
const int RetentionBytes = 200_000;

var raw = args.Length > 0 ? args[0] : "/tmp/corpus/raw";
var output = args.Length > 1 ? args[1] : "/tmp/corpus";
var sources = JsonSerializer.Deserialize<List<Source>>(
    File.ReadAllText(Path.Combine("eng", "pretrain", "sources.json")), JsonSerializerOptions.Web)!;

// The QuickStart's test set is made of WordNet definitions: no paragraph that holds one may be learned from.
var testDefinitions = SearchValues.Create(
    File.ReadLines(Path.Combine("samples", "data", "definitions-test.tsv"))
        .Skip(1)
        .Select(line => Clean(line.Split('\t')[1]))
        .ToArray(),
    StringComparison.OrdinalIgnoreCase);

Directory.CreateDirectory(output);
using var train = Create(Path.Combine(output, "train.txt"));
using var sizes = Create(Path.Combine(output, "sizes.md"));
var retention = new StringBuilder();
var seen = new HashSet<string>();
sizes.WriteLine("| source | package | version | licence | train bytes | train words | held-out bytes | left out: test definitions |");
sizes.WriteLine("|---|---|---|---|---:|---:|---:|---:|");
foreach (var source in sources.Where(source => !source.IsWords))
{
    var removed = 0;
    var documents = Read(source)
        .Select(paragraphs => paragraphs
            .Select(Clean)
            .SelectMany(Split)
            .Where(paragraph => source.Reader == "wordnet" || IsProse(paragraph, source.Technical ? 0.95 : 0.88))
            .Where(paragraph => paragraph.Length < ShortestRepeat || seen.Add(paragraph))
            .Where(paragraph =>
            {
                var holdsTest = paragraph.AsSpan().ContainsAny(testDefinitions);
                removed += holdsTest ? 1 : 0;
                return !holdsTest;
            })
            .ToList())
        .Where(paragraphs => paragraphs.Count > 0)
        .ToList();
    var (learned, heldOut) = HoldOut(documents);
    using (var file = Create(Path.Combine(output, $"heldout-{source.Name}.txt")))
    {
        file.Write(Text(heldOut));
    }

    var text = Text([.. learned.Select((paragraphs, i) =>
        i % TreebankEvery == TreebankEvery - 1 ? paragraphs.ConvertAll(Treebank) : paragraphs)]);
    train.Write(text);
    if (source.PublicDomain)
    {
        retention.Append(Beginning(heldOut));
    }

    WriteSize(source, text, Text(heldOut), removed);
}

WriteWords();

if (Encoding.UTF8.GetByteCount(retention.ToString()) > RetentionBytes)
{
    throw new InvalidOperationException($"retention.txt would exceed {RetentionBytes} bytes; lower {nameof(RetentionBytesPerSource)}.");
}

File.WriteAllText(Path.Combine("samples", "data", "retention.txt"), retention.ToString());

void WriteSize(Source source, string text, string heldOut, int removed)
{
    var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
    var row = string.Create(CultureInfo.InvariantCulture,
        $"| {source.Name} | {source.Package} | {source.Version} | {source.Licence} | {Encoding.UTF8.GetByteCount(text):N0} | {words:N0} | {Encoding.UTF8.GetByteCount(heldOut):N0} | {removed:N0} |");
    sizes.WriteLine(row);
    Console.WriteLine(row);
}

// Word lists become lines of words that mean alike, drawn and ordered anew in each pass; a line is a document.
void WriteWords()
{
    var random = new Random(1);
    List<string> all = [];
    foreach (var source in sources.Where(source => source.IsWords))
    {
        var (learned, heldOut) = source.Reader == "thesaurus" ? DrawThesaurus(Files(source)[0], random) : DrawLists(Files(source), random);
        var heldOutText = Text(heldOut.ConvertAll(line => new List<string> { line }));
        File.WriteAllText(Path.Combine(output, $"heldout-{source.Name}.txt"), heldOutText);
        WriteSize(source, Text(learned.ConvertAll(line => new List<string> { line })), heldOutText, removed: 0);
        all.AddRange(learned);
    }

    var lines = all.ToArray();
    random.Shuffle(lines);
    using var file = Create(Path.Combine(output, "words.txt"));
    file.Write(Text([.. lines.Select(line => new List<string> { line })]));
}

static StreamWriter Create(string path) => new(path, append: false, new UTF8Encoding(false)) { NewLine = "\n" };

static string Text(List<List<string>> documents) =>
    string.Join("", documents.Select(paragraphs => string.Join("\n", paragraphs) + "\n\n"));

// The last 2 % of a source's characters, cut between paragraphs.
static (List<List<string>> Learned, List<List<string>> HeldOut) HoldOut(List<List<string>> documents)
{
    var left = (long)(documents.SelectMany(paragraphs => paragraphs).Sum(paragraph => (long)paragraph.Length) * (1 - HeldOutShare));
    List<List<string>> learned = [], heldOut = [];
    foreach (var document in documents)
    {
        var kept = document.TakeWhile(paragraph => (left -= paragraph.Length) >= 0).ToList();
        if (kept.Count > 0)
        {
            learned.Add(kept);
        }

        if (kept.Count < document.Count)
        {
            heldOut.Add(document[kept.Count..]);
        }
    }

    return (learned, heldOut);
}

static string Beginning(List<List<string>> documents)
{
    var left = RetentionBytesPerSource;
    var taken = documents
        .Select(paragraphs => paragraphs.TakeWhile(p => (left -= Encoding.UTF8.GetByteCount(p) + 1) >= 0).ToList())
        .Where(paragraphs => paragraphs.Count > 0)
        .ToList();
    return Text(taken);
}

// ---- word lists ------------------------------------------------------------------------------------------------------

// A line of the file is an entry and its synonyms, in all its senses: "mad,angry,crazy,..." becomes "mad: crazy, unhinged, ...".
static (List<string> Learned, List<string> HeldOut) DrawThesaurus(string file, Random random)
{
    var entries = File.ReadLines(file)
        .Select(line => line.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        .Where(entry => entry.Length > FewestDrawn)
        .OrderBy(entry => Hash(entry[0]), StringComparer.Ordinal)
        .ToList();
    var split = (int)(entries.Count * (1 - HeldOutShare));
    return ([.. Enumerable.Range(0, ThesaurusPasses).SelectMany(_ => entries[..split].Select(Draw))], entries[split..].ConvertAll(Draw));

    string Draw(string[] entry)
    {
        var synonyms = entry[1..];
        random.Shuffle(synonyms);
        return WordLine(entry[0], synonyms[..Math.Min(synonyms.Length, random.Next(FewestDrawn, MostDrawn + 1))], random);
    }
}

// The first file holds words that praise, the second words that blame: "good: able, superb, ..." and "bad: dull, ...".
static (List<string> Learned, List<string> HeldOut) DrawLists(IReadOnlyList<string> files, Random random)
{
    List<string> learned = [], heldOut = [];
    foreach (var (file, name) in files.Zip(["good", "bad"]))
    {
        var words = File.ReadLines(file).Select(word => word.Trim()).Where(word => word.Length > 0).OrderBy(Hash, StringComparer.Ordinal).ToArray();
        var split = (int)(words.Length * (1 - HeldOutShare));
        for (var pass = 0; pass < ListPasses; pass++) learned.AddRange(Lines(words[..split]));
        heldOut.AddRange(Lines(words[split..]));

        IEnumerable<string> Lines(string[] drawn)
        {
            random.Shuffle(drawn);
            return drawn.Chunk(WordsPerLine).Select(line => WordLine(name, line, random));
        }
    }

    return (learned, heldOut);
}

// Commas as people type them, none, and set apart as older data sets write them.
static string WordLine(string name, string[] words, Random random) =>
    $"{name}: {string.Join(random.GetItems([", ", " ", " , "], 1)[0], words)}";

static string Hash(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

// ---- cleaning -----------------------------------------------------------------------------------------------------

// Typographic quotes, dashes and spaces become ASCII: a small vocabulary should not learn each word twice, and the
// texts that people classify are mostly typed with ASCII quotes.
static string Clean(string text)
{
    var plain = new StringBuilder(text.Length);
    foreach (var c in text.Normalize(NormalizationForm.FormC))
    {
        _ = c switch
        {
            '\u2018' or '\u2019' or '\u02BC' or '`' => plain.Append('\''),
            '\u201C' or '\u201D' => plain.Append('"'),
            '\u2013' => plain.Append('-'),
            '\u2014' => plain.Append(" - "),
            '\u2026' => plain.Append("..."),
            '\u00B6' or '\u00AD' or '\u200B' or '\uFEFF' => plain,      // anchors, invisible marks
            _ when char.IsWhiteSpace(c) || char.IsControl(c) => plain.Append(' '),
            _ => plain.Append(c),
        };
    }

    var withoutEmphasis = Regex.Replace(plain.ToString(), @"(?<!\w)_([^_]+)_(?!\w)", "$1");
    return Regex.Replace(withoutEmphasis, " {2,}", " ").Trim();
}

static IEnumerable<string> Split(string paragraph)
{
    var piece = new StringBuilder();
    foreach (var sentence in Regex.Split(paragraph, "(?<=[.!?][\"')]?) (?=[\"'(]?[A-Z])"))
    {
        if (piece.Length > 0 && piece.Length + sentence.Length > LongestParagraph)
        {
            yield return piece.ToString();
            piece.Clear();
        }

        piece.Append(piece.Length > 0 ? " " : "").Append(sentence);
    }

    if (piece.Length > 0)
    {
        yield return piece.ToString();
    }
}

// Headings, tables, menus and code are not prose: too short, too few letters, or no end of a sentence. Manuals are
// held to more letters, which leaves out the sentences that are half code.
static bool IsProse(string paragraph, double fewestLetters)
{
    var letters = paragraph.Count(c => char.IsAsciiLetter(c) || c == ' ');
    return paragraph.Count(c => c == ' ') + 1 >= FewestWords
        && letters >= fewestLetters * paragraph.Length
        && Regex.IsMatch(paragraph, "[.!?:;,][\"')]*$|[a-z]{3}$");
}

// "It doesn't work." becomes "it does n't work .": lower case, punctuation and endings set apart, as SST-2, TREC and
// other data sets from the time of the Penn Treebank write. A model that has never seen it meets a new script there.
static string Treebank(string paragraph)
{
    var apart = Regex.Replace(paragraph.ToLowerInvariant(), @"\.\.\.|[!?;()""]|[,:](?!\d)|\.(?=[""')]*( |$))", " $0 ");
    apart = Regex.Replace(apart, @"(?<=\w)(n't|'(s|re|ve|ll|d|m))\b", " $1");
    return Regex.Replace(apart, " {2,}", " ").Trim();
}

// ---- readers: files to documents, documents to paragraphs ----------------------------------------------------------

List<string> Files(Source source)
{
    var files = source.Paths
        .SelectMany(pattern => Match(Path.Combine(raw, source.Package.Split('/')[^1]), pattern))
        .ToList();
    if (files.Count == 0)
    {
        throw new FileNotFoundException($"{source.Package}: none of its paths is under {raw}. Run eng/pretrain/fetch.sh first.");
    }

    return files;
}

IEnumerable<List<string>> Read(Source source)
{
    var files = Files(source);
    return source.Reader switch
    {
        "wordnet" => Shuffle(files.SelectMany(ReadWordNet)),
        "text" => files.SelectMany(file => Chapters(File.ReadLines(file))),
        "r-strings" => files.SelectMany(ReadRStrings).SelectMany(Chapters),
        "sword" => files.SelectMany(ReadSword),
        "dictionary" => files.SelectMany(ReadDictionary),
        "factbook" => files.Select(ReadFactbook),
        "html" => files.Select(ReadHtml),
        "pod" => files.Select(ReadPod),
        _ => throw new InvalidDataException($"sources.json: reader '{source.Reader}' of '{source.Name}' is unknown."),
    };
}

static IEnumerable<string> Match(string folder, string pattern)
{
    var recursive = pattern.Contains("**/", StringComparison.Ordinal);
    var inFolder = Path.Combine(folder, Path.GetDirectoryName(pattern.Replace("**/", ""))!);
    return Directory
        .EnumerateFiles(inFolder, Path.GetFileName(pattern), recursive ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly)
        .Order(StringComparer.Ordinal);
}

// WordNet is sorted by meaning, so its last 2 % would all be adverbs: documents are ordered by their hash.
static IEnumerable<List<string>> Shuffle(IEnumerable<List<string>> documents) =>
    documents.OrderBy(d => Hash(d[0]), StringComparer.Ordinal);

// A synset becomes "dog, domestic dog: a member of the genus Canis. The dog barked all night."
static IEnumerable<List<string>> ReadWordNet(string file)
{
    var synsets = File.ReadLines(file).Where(line => !line.StartsWith("  ", StringComparison.Ordinal));
    return synsets.Select(Sentence).Chunk(EntriesPerDocument).Select(chunk => chunk.ToList());

    static string Sentence(string line)
    {
        var bar = line.IndexOf(" | ", StringComparison.Ordinal);
        var fields = line[..bar].Split(' ');
        var gloss = line[(bar + 3)..].Trim();
        var words = Enumerable
            .Range(0, int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .Select(i => Regex.Replace(fields[4 + (2 * i)], @"\(\w+\)$", "").Replace('_', ' '));
        var firstExample = Regex.Match(gloss, "[;:,]?\\s*\"");
        var definition = firstExample.Success && firstExample.Index > 0 ? gloss[..firstExample.Index] : gloss;
        var examples = firstExample.Success
            ? Regex.Matches(gloss[firstExample.Index..], "\"([^\"]+)\"").Select(m => m.Groups[1].Value.Trim())
            : [];
        var sentences = examples
            .Where(example => example.Contains(' '))
            .Select(example => char.ToUpperInvariant(example[0]) + example[1..] + (".!?".Contains(example[^1]) ? "" : "."));
        return $"{string.Join(", ", words)}: {definition.Trim(' ', ';', ':', ',')}. {string.Join(' ', sentences)}";
    }
}

// Paragraphs are set apart by empty lines; a chapter is a document.
static IEnumerable<List<string>> Chapters(IEnumerable<string> lines)
{
    List<string> chapter = [];
    foreach (var paragraph in Paragraphs(lines))
    {
        if (Regex.IsMatch(paragraph, "^chapter [0-9ivxlc]+", RegexOptions.IgnoreCase) && chapter.Count > 0)
        {
            yield return chapter;
            chapter = [];
        }

        chapter.Add(paragraph);
    }

    yield return chapter;
}

static IEnumerable<string> Paragraphs(IEnumerable<string> lines)
{
    var paragraph = new StringBuilder();
    foreach (var line in lines.Append(""))
    {
        if (line.Trim().Length > 0)
        {
            paragraph.Append(line.Trim()).Append(' ');
        }
        else if (paragraph.Length > 0)
        {
            yield return paragraph.ToString();
            paragraph.Clear();
        }
    }
}

// An R package keeps its data as blocks: length (4 bytes, big-endian), then zlib. Inside is R's XDR serialization,
// here one character vector for each book: type 16, count, then for each line flags, length, bytes.
static IEnumerable<List<string>> ReadRStrings(string file)
{
    const int CharacterVector = 16;
    const int HeaderBytes = 2 + (3 * 4) + 4 + 5;    // "X\n", three versions, "UTF-8" with its length
    var packed = File.ReadAllBytes(file);
    for (var block = 0; block < packed.Length;)
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(packed.AsSpan(block));
        using var zlib = new ZLibStream(new MemoryStream(packed, block + 4, packed.Length - block - 4), CompressionMode.Decompress);
        var data = new byte[length];
        zlib.ReadExactly(data);
        block = NextBlock(packed, block + 4);

        var position = HeaderBytes;
        int Next() => BinaryPrimitives.ReadInt32BigEndian(data.AsSpan((position += 4) - 4));
        if ((Next() & 0xFF) != CharacterVector)
        {
            continue;
        }

        List<string> lines = [];
        for (var left = Next(); left > 0; left--)
        {
            Next();                                 // flags: encoding bits, which UTF-8 covers
            var bytes = Next();
            lines.Add(Encoding.UTF8.GetString(data, position, bytes));
            position += bytes;
        }

        yield return lines;
    }
}

// The block index is in a second file; a zlib stream with its length before it is as easily found: 78 9C, and a length
// whose first byte is zero (no book has 16 MB).
static int NextBlock(byte[] packed, int after)
{
    for (var i = after + 4; i + 6 < packed.Length; i++)
    {
        if (packed[i] == 0 && packed[i + 4] == 0x78 && packed[i + 5] == 0x9C && IsZlib(packed, i))
        {
            return i;
        }
    }

    return packed.Length;

    static bool IsZlib(byte[] packed, int start)
    {
        try
        {
            using var zlib = new ZLibStream(new MemoryStream(packed, start + 4, packed.Length - start - 4), CompressionMode.Decompress);
            var data = new byte[BinaryPrimitives.ReadInt32BigEndian(packed.AsSpan(start))];
            zlib.ReadExactly(data);
            return data is [(byte)'X', (byte)'\n', ..];
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            return false;
        }
    }
}

// mod2imp's export: "$$$Genesis 1:1", then the verse as OSIS XML. A chapter is a document.
static IEnumerable<List<string>> ReadSword(string file)
{
    var chapter = "";
    var text = new StringBuilder();
    foreach (var line in File.ReadLines(file).Append("$$$end 0:0"))
    {
        if (!line.StartsWith("$$$", StringComparison.Ordinal))
        {
            text.Append(line).Append(' ');
        }
        else if (Regex.Replace(line, ":\\d+$", "") is var next && next != chapter)
        {
            yield return OsisParagraphs(text.ToString());
            chapter = next;
            text.Clear();
        }
    }

    static List<string> OsisParagraphs(string osis)
    {
        var body = Regex.Replace(osis, "<(note|title)\\b[^>]*>.*?</\\1>", "");
        body = Regex.Replace(body, "<div [^>]*sID=[^>]*>", "\n");
        return [.. Regex.Replace(body, "<[^>]*>", "").Split('\n').Select(WebUtility.HtmlDecode).Select(p => p!)];
    }
}

// dictd's format: the entry's name unindented, its text indented below; {links} in braces.
static IEnumerable<List<string>> ReadDictionary(string file)
{
    using var reader = new StreamReader(new GZipStream(File.OpenRead(file), CompressionMode.Decompress));
    var lines = reader.ReadToEnd().Replace("{", "").Replace("}", "").Split('\n')
        .SkipWhile(line => line.Trim() is not ("PREFACE" or "(TM)"))    // the notices before the first entry
        .ToList();
    List<string> document = [];
    var name = "";
    foreach (var group in Blocks(lines))
    {
        var isName = !char.IsWhiteSpace(group[0][0]) && group.Count <= 2 && group[0].Length < 50 && !group[0].EndsWith('.');
        if (isName)
        {
            name = group[0].Trim() + ": ";
            continue;
        }

        document.Add(name + string.Join(' ', group.Select(line => line.Trim())));
        name = "";
        if (document.Count == EntriesPerDocument)
        {
            yield return document;
            document = [];
        }
    }

    if (document.Count > 0)
    {
        yield return document;
    }

    static IEnumerable<List<string>> Blocks(List<string> lines)
    {
        List<string> block = [];
        foreach (var line in lines.Append(""))
        {
            if (line.Trim().Length > 0)
            {
                block.Add(line);
            }
            else if (block.Count > 0)
            {
                yield return block;
                block = [];
            }
        }
    }
}

// Countries as JSON: the fields that hold whole sentences.
static List<string> ReadFactbook(string file)
{
    using var country = JsonDocument.Parse(File.ReadAllText(file));
    return [.. Strings(country.RootElement)
        .SelectMany(text => text.Split("++"))       // its mark between paragraphs
        .Where(text => text.Count(c => c == ' ') >= 12 && text.TrimEnd().EndsWith('.'))];

    static IEnumerable<string> Strings(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => [element.GetString()!],
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property => Strings(property.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Strings),
        _ => [],
    };
}

static List<string> ReadHtml(string file)
{
    const RegexOptions Options = RegexOptions.Singleline | RegexOptions.IgnoreCase;
    var page = Regex.Replace(File.ReadAllText(file), "<(script|style|pre|table|nav)\\b.*?</\\1>", " ", Options);
    return [.. Regex
        .Matches(page, "<(p|dd|li)\\b[^>]*>(.*?)(?=</p>|<p\\b|<h\\d|<[uod]l\\b|<pre|<table|</?div|</dd|<dt|</li|<li|$)", Options)
        .Select(match => WebUtility.HtmlDecode(Regex.Replace(match.Groups[2].Value, "<[^>]*>", "")))];
}

// Perl's plain old documentation: code is indented, commands begin with '=', and C<word> marks up a word.
static List<string> ReadPod(string file) =>
    [.. Regex.Split(File.ReadAllText(file), "\\n\\s*\\n")
        .Where(paragraph => paragraph.Length > 0 && !char.IsWhiteSpace(paragraph[0]) && paragraph[0] != '=')
        .Select(WithoutMarkup)];

static string WithoutMarkup(string paragraph)
{
    var plain = paragraph.Replace("E<lt>", "(").Replace("E<gt>", ")");
    plain = Regex.Replace(plain, "L<([^|<>]*)\\|[^<>]*>|L</?\"?([^<>]*?)\"?>", "$1$2");
    for (var before = ""; before != plain;)
    {
        before = plain;
        plain = Regex.Replace(plain, "[A-Z]<+ ?([^<>]*?) ?>+", "$1");
    }

    return plain;
}

internal sealed record Source(
    string Name, string? Debian, string? Npm, string Version, string Licence, bool PublicDomain, string Reader, string[] Paths)
{
    public bool IsWords => Reader is "thesaurus" or "word-lists";

    public bool Technical => Reader is "html" or "pod";

    public string Package => Debian ?? Npm ?? throw new InvalidDataException($"sources.json: '{Name}' names no package.");
}
