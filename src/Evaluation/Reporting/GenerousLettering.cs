using System.Text;
using OxyPlot;

namespace MLNetLoRA.Evaluation;

/// <summary>Room for text in whatever font the reader has: as much as the widest of the usual ones takes.</summary>
/// <remarks>A picture is laid out before anybody knows its reader's fonts; measured in Helvetica, names run into each other in DejaVu or Verdana.</remarks>
internal sealed class GenerousLettering() : PdfRenderContext(PictureStyle.Width, PictureStyle.Width, OxyColors.White)
{
    private const double LetterWidth = 0.6;
    private const double WideLetterWidth = 1;
    private const double LineHeight = 1.25;

    // From here on most scripts are written in squares.
    private const int FirstWideLetter = 0x2E80;

    /// <inheritdoc/>
    public override OxySize MeasureText(string text, string fontFamily, double fontSize, double fontWeight) => string.IsNullOrEmpty(text)
        ? OxySize.Empty
        : new OxySize(fontSize * text.EnumerateRunes().Sum(WidthOf), fontSize * LineHeight);

    private static double WidthOf(Rune letter) => letter.Value < FirstWideLetter ? LetterWidth : WideLetterWidth;
}
