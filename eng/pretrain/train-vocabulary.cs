// Trains the byte-level BPE vocabulary of mini-encoder, in RoBERTa's file format.
//
//   dotnet run eng/pretrain/train-vocabulary.cs -- [TEXT_FILE] [OUTPUT_FOLDER] [ENTRIES]
//
// Writes vocab.json, merges.txt and tokenizer_config.json. Cased; every byte is in the alphabet, so no text is unknown.
// The same text always gives the same files.
//
// Algorithm: Sennrich, Haddow and Birch 2016 (arXiv 1508.07909) on bytes as in GPT-2. Each distinct word is kept once
// with its count; merging a pair touches only the words that hold it, and a heap with outdated entries finds the next
// pair.
#:property PublishAot=false

using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

const int FewestEntries = 300;
const int FewestOccurrences = 2;                // a pair that occurs once is not worth an entry

var textFile = args.Length > 0 ? args[0] : "/tmp/corpus/train.txt";
var output = args.Length > 1 ? args[1] : "/tmp/corpus/tokenizer";
var entries = args.Length > 2 ? int.Parse(args[2]) : 8000;
if (entries < FewestEntries)
{
    Console.Error.WriteLine($"ENTRIES is {entries}; use {FewestEntries} or more: 256 bytes and 5 special tokens come first, and a few dozen merges are the least that pays.");
    return 2;
}
if (!File.Exists(textFile) || new FileInfo(textFile).Length == 0)
{
    Console.Error.WriteLine($"{textFile}: there is no text; eng/pretrain/prepare.cs writes it.");
    return 2;
}

string[] firstSpecials = ["<s>", "<pad>", "</s>", "<unk>"];     // RoBERTa's ids 0 to 3
const string Mask = "<mask>";                                   // RoBERTa's last id

var byteSymbols = ByteSymbols();
var vocabulary = new List<string>(byteSymbols.Order(StringComparer.Ordinal));
var idOf = vocabulary.Select((symbol, id) => (symbol, id)).ToDictionary(entry => entry.symbol, entry => entry.id);
var merges = new List<string>();

var words = CountWords();
var pairs = new Dictionary<(int Left, int Right), Pair>();
var heap = new PriorityQueue<((int Left, int Right) Symbols, long Count), (long, int, int)>();
for (var w = 0; w < words.Length; w++)
{
    Count(w, sign: 1);
}

foreach (var symbols in pairs.Keys)
{
    Enqueue(symbols);
}

var wanted = entries - firstSpecials.Length - 1;
while (vocabulary.Count < wanted && heap.TryDequeue(out var best, out _))
{
    var pair = pairs[best.Symbols];
    if (pair.Count != best.Count)
    {
        continue;                               // outdated: the newer entry is in the heap too
    }

    if (pair.Count < FewestOccurrences)
    {
        break;
    }

    Merge(best.Symbols, pair);
}

Write();
Console.WriteLine($"{vocabulary.Count + firstSpecials.Length + 1} entries, {merges.Count} merges");
Console.WriteLine($"{words.Sum(word => word.Count * word.Symbols.Count):N0} tokens in {textFile}, {words.Length:N0} distinct words");
return 0;

Word[] CountWords()
{
    // GPT-2's split into words; a line's first word gets the space that add_prefix_space adds.
    var split = new Regex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.Compiled);
    var counts = new Dictionary<string, long>();
    var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
    foreach (var line in File.ReadLines(textFile).Where(line => line.Length > 0))
    {
        ReadOnlySpan<char> spaced = " " + line;
        foreach (var match in split.EnumerateMatches(spaced))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(lookup, spaced.Slice(match.Index, match.Length), out _)++;
        }
    }

    // Sorted, so that nothing depends on the order in which a dictionary lists its keys.
    return [.. counts
        .OrderBy(entry => entry.Key, StringComparer.Ordinal)
        .Select(entry => new Word(
            [.. Encoding.UTF8.GetBytes(entry.Key).Select(b => idOf[byteSymbols[b]])],
            entry.Value))];
}

void Count(int word, int sign)
{
    var symbols = words[word].Symbols;
    for (var i = 0; i + 1 < symbols.Count; i++)
    {
        var key = (symbols[i], symbols[i + 1]);
        if (!pairs.TryGetValue(key, out var pair))
        {
            pairs[key] = pair = new Pair();
        }

        pair.Count += sign * words[word].Count;
        pair.Words.Add(word);                   // may go stale; a merge that finds nothing there does nothing
    }
}

// Most frequent first; ties go to the pair of the older symbols.
void Enqueue((int Left, int Right) symbols)
{
    var count = pairs[symbols].Count;
    if (count > 0)
    {
        heap.Enqueue((symbols, count), (-count, symbols.Left, symbols.Right));
    }
}

void Merge((int Left, int Right) symbols, Pair pair)
{
    var merged = vocabulary[symbols.Left] + vocabulary[symbols.Right];
    merges.Add($"{vocabulary[symbols.Left]} {vocabulary[symbols.Right]}");
    if (!idOf.TryGetValue(merged, out var id))  // another pair may have spelled the same symbol already
    {
        idOf[merged] = id = vocabulary.Count;
        vocabulary.Add(merged);
    }

    var touched = new HashSet<(int, int)>();
    foreach (var word in pair.Words.ToArray())
    {
        Touch(word);
        Count(word, sign: -1);
        Replace(words[word].Symbols, symbols, id);
        Count(word, sign: 1);
        Touch(word);
    }

    pair.Words.Clear();
    foreach (var changed in touched)
    {
        Enqueue(changed);
    }

    void Touch(int word)
    {
        var all = words[word].Symbols;
        for (var i = 0; i + 1 < all.Count; i++)
        {
            touched.Add((all[i], all[i + 1]));
        }
    }
}

static void Replace(List<int> symbols, (int Left, int Right) pair, int merged)
{
    var end = 0;
    for (var i = 0; i < symbols.Count; i++)
    {
        var isPair = i + 1 < symbols.Count && symbols[i] == pair.Left && symbols[i + 1] == pair.Right;
        symbols[end++] = isPair ? merged : symbols[i];
        i += isPair ? 1 : 0;
    }

    symbols.RemoveRange(end, symbols.Count - end);
}

// GPT-2's printable stand-in for each byte: itself where it prints, else the next free character from U+0100 on.
static string[] ByteSymbols()
{
    var symbols = new string[256];
    var next = 0x100;
    for (var b = 0; b < 256; b++)
    {
        var prints = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
        symbols[b] = ((char)(prints ? b : next++)).ToString();
    }

    return symbols;
}

void Write()
{
    Directory.CreateDirectory(output);
    var relaxed = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    using (var file = File.Create(Path.Combine(output, "vocab.json")))
    using (var json = new Utf8JsonWriter(file, relaxed))
    {
        json.WriteStartObject();
        foreach (var (token, id) in firstSpecials.Concat(vocabulary).Append(Mask).Select((token, id) => (token, id)))
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
    }

    File.WriteAllText(Path.Combine(output, "merges.txt"), "#version: 0.2\n" + string.Concat(merges.Select(m => m + "\n")));
    File.WriteAllText(Path.Combine(output, "tokenizer_config.json"), """
        {
          "tokenizer_class": "RobertaTokenizer",
          "add_prefix_space": true,
          "model_max_length": 256,
          "bos_token": "<s>",
          "cls_token": "<s>",
          "pad_token": "<pad>",
          "eos_token": "</s>",
          "sep_token": "</s>",
          "unk_token": "<unk>",
          "mask_token": "<mask>"
        }

        """);
}

internal sealed record Word(List<int> Symbols, long Count);

internal sealed class Pair
{
    public long Count { get; set; }

    public HashSet<int> Words { get; } = [];
}
