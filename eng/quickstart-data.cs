// Makes the QuickStart's data: WordNet 3.0 noun definitions, labelled by WordNet's own semantic category.
//
//   dotnet run eng/quickstart-data.cs -- [WORDNET_FOLDER] [OUTPUT_FOLDER]
//
// WORDNET_FOLDER holds data.noun (default /usr/share/wordnet, where Debian's wordnet-base puts it); OUTPUT_FOLDER
// defaults to samples/data. The same input always gives the same files, byte for byte.
#:property PublishAot=false

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

const int TrainPerCategory = 500;
const int TestPerCategory = 100;
const int FewestWords = 3;

// Rows are drawn and ordered by the SHA-256 of seed and definition: a shuffle that no runtime version can change.
const string Seed = "definitions-1";

// Lexicographer file numbers (WordNet's lexnames(5)). Twelve that are well filled and sensibly distinct; left out are
// those that mix with these (attribute, group, event, object, ...) or hold too few definitions.
var categories = new SortedDictionary<int, string>
{
    [4] = "act",
    [5] = "animal",
    [6] = "artifact",
    [8] = "body",
    [9] = "cognition",
    [10] = "communication",
    [13] = "food",
    [15] = "location",
    [18] = "person",
    [20] = "plant",
    [26] = "state",
    [27] = "substance",
};

var wordNetFolder = args.Length > 0 ? args[0] : "/usr/share/wordnet";
var outputFolder = args.Length > 1 ? args[1] : Path.Combine("samples", "data");
var nouns = File.ReadAllLines(Path.Combine(wordNetFolder, "data.noun"));

var candidates = nouns
    .Where(line => !line.StartsWith("  ", StringComparison.Ordinal))   // the licence, at the top of the file
    .Select(Parse)
    .Where(row => row is not null)
    .Select(row => row!)
    .ToList();

// One definition, one row; a definition that stands in two categories has no right answer and is left out.
var distinct = candidates
    .GroupBy(row => row.Definition, StringComparer.OrdinalIgnoreCase)
    .Where(same => same.Select(row => row.Category).Distinct().Count() == 1)
    .Select(same => same.First())
    .OrderBy(row => Draw(row.Definition), StringComparer.Ordinal)
    .ToList();

var train = new List<Row>();
var test = new List<Row>();
foreach (var category in categories.Values)
{
    var drawn = distinct.Where(row => row.Category == category).Take(TrainPerCategory + TestPerCategory).ToList();
    if (drawn.Count < TrainPerCategory + TestPerCategory)
    {
        throw new InvalidDataException(
            $"{wordNetFolder}/data.noun has {drawn.Count} usable definitions of category {category}; " +
            $"{TrainPerCategory + TestPerCategory} are needed. Is it WordNet 3.0?");
    }

    test.AddRange(drawn.Take(TestPerCategory));
    train.AddRange(drawn.Skip(TestPerCategory));
    Console.WriteLine($"{category,-14} {distinct.Count(row => row.Category == category),6} usable");
}

Directory.CreateDirectory(outputFolder);
Write("definitions-train.tsv", train);
Write("definitions-test.tsv", test);
WriteLicence();

Row? Parse(string line)
{
    // offset lexicographer-file type word-count(hex) (word lex-id)* pointer-count ... | gloss
    var bar = line.IndexOf(" | ", StringComparison.Ordinal);
    var fields = line[..bar].Split(' ');
    if (!categories.TryGetValue(int.Parse(fields[1], CultureInfo.InvariantCulture), out var category))
    {
        return null;
    }

    var wordCount = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    var headwords = Enumerable.Range(0, wordCount).Select(i => fields[4 + (2 * i)].Replace('_', ' '));
    var definition = WithoutExamples(line[(bar + 3)..]);

    // A quotation mark left over belongs to a quotation inside the definition; the files have no quoting, so it goes.
    var usable = !definition.Contains('"')
        && !definition.Contains('\t')
        && definition.Split(' ').Length >= FewestWords
        && !headwords.Any(word => ContainsWord(definition, word));
    return usable ? new Row(category, definition) : null;
}

// Usage examples follow the definition, each in quotation marks: 'a living entity; "plants and other living things"'.
static string WithoutExamples(string gloss)
{
    var firstExample = Regex.Match(gloss, "[;:,]\\s*\"");
    var definition = firstExample.Success ? gloss[..firstExample.Index] : gloss;
    return Regex.Replace(definition, "\\s+", " ").Trim(' ', ';', ':', ',');
}

// The headword would give the answer away, so a definition that repeats it is not used.
static bool ContainsWord(string text, string word) =>
    Regex.IsMatch(text, $@"(?<!\w){Regex.Escape(word)}(?!\w)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

static string Draw(string definition) =>
    Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{Seed}\n{definition}")));

void Write(string name, List<Row> rows)
{
    // The files must not be sorted by category: a reader who takes the first 1,000 rows wants all twelve. Drawing anew, because the rows of
    // a small category are those with the smallest numbers of the first draw.
    var lines = rows
        .OrderBy(row => Draw("order\n" + row.Definition), StringComparer.Ordinal)
        .Select(row => $"{row.Category}\t{row.Definition}\n");
    File.WriteAllText(Path.Combine(outputFolder, name), "Category\tDefinition\n" + string.Concat(lines));
    Console.WriteLine($"{name}: {rows.Count} rows");
}

void WriteLicence()
{
    // data.noun opens with the licence: two spaces, a line number, the text.
    var licence = nouns
        .TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal))
        .Select(line => Regex.Replace(line, @"^\s+\d+ ?", "").TrimEnd() + "\n");
    File.WriteAllText(Path.Combine(outputFolder, "LICENSE-WordNet.txt"), string.Concat(licence));
}

internal sealed record Row(string Category, string Definition);
