using System.Text;
using MLNetLoRA.Evaluation;
using MLNetLoRA.Modeling;

namespace MLNetLoRA;

/// <summary>A report to be read: a title, a summary in plain words, then sections with text, pictures and tables.</summary>
/// <remarks>
/// Immutable and thread-safe. All text is plain text, from wherever it comes: the writers escape it. Every report of this library writes itself
/// through one of these.
/// </remarks>
/// <param name="Title">One line.</param>
/// <param name="Summary">What came out, in a sentence or a few.</param>
/// <param name="Sections">In reading order; pictures before tables.</param>
public sealed record ReportDocument(string Title, string Summary, IReadOnlyList<ReportSection> Sections)
{
    /// <summary>One HTML page that stands alone: no script, no network, pictures inside; for light and dark screens, phones and paper.</summary>
    public string ToHtml() => HtmlReport.Write(this);

    /// <summary>Markdown, with the names of its pictures in their place.</summary>
    public string ToMarkdown() => MarkdownReport.Write(this, _ => null);

    /// <summary>Writes <see cref="ToHtml"/> to a file, which is complete or not there.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder, or the file there, must not be written.</exception>
    /// <exception cref="IOException"><paramref name="path"/> is a folder, or writing failed; an old file is untouched.</exception>
    public void SaveHtml(string path) => Save(path, ToHtml());

    /// <summary>Writes Markdown to a file, and its pictures beside it as NAME-1.svg and so on; each file is complete or not there.</summary>
    /// <param name="path">The file; its folder must exist. Pictures are called after it.</param>
    /// <inheritdoc cref="SaveHtml" path="/exception"/>
    public void SaveMarkdown(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var stem = Path.GetFileNameWithoutExtension(path);
        var names = Pictures.Index().ToDictionary(picture => picture.Item, picture => $"{stem}-{picture.Index + 1}.svg");
        // Pictures first: a page that is there finds them.
        foreach (var picture in Pictures) Save(Path.Combine(folder, names[picture]), SvgPicture.Standalone(picture.Svg));
        Save(path, MarkdownReport.Write(this, picture => names[picture]));
    }

    private IReadOnlyList<ReportPicture> Pictures => [.. Sections.SelectMany(section => section.Parts).OfType<ReportPicture>().Distinct()];

    private static void Save(string path, string text) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
