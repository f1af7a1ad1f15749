using System.Globalization;
using System.Text;

namespace MLNetLoRA.Modeling;

/// <summary>Unicode's normal forms, lower case, and text without accents, as Hugging Face's normalizers of these names make them.</summary>
internal static class UnicodeFolding
{
    /// <summary>Of all capitals only İ lowers to two characters; .NET leaves it as it is.</summary>
    public static string Lowercase(string text) => text.Replace("İ", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>Drops non-spacing marks; a letter composed with its accent keeps it.</summary>
    public static string StripMarks(string text)
    {
        if (Ascii.IsValid(text)) return text;
        var stripped = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark) stripped.Append(rune);
        return stripped.ToString();
    }

    /// <summary>Text to a normal form.</summary>
    /// <param name="form">The form.</param>
    /// <param name="user">What needs it, for the error text.</param>
    /// <exception cref="PlatformNotSupportedException">This process cannot normalize text.</exception>
    public static Func<string, string> Normalizer(NormalizationForm form, string user)
    {
        RequireNormalForms(user);
        // Normalize refuses U+FFFE, which combines with nothing.
        return text => Ascii.IsValid(text) ? text : string.Join('\uFFFE', text.Split('\uFFFE').Select(part => part.Normalize(form)));
    }

    /// <summary>Under InvariantGlobalization .NET hands texts back as they are, without a word: ids would be wrong for every accent.</summary>
    /// <inheritdoc cref="Normalizer"/>
    public static void RequireNormalForms(string user)
    {
        if ("é".Normalize(NormalizationForm.FormD).Length == 1)
            throw new PlatformNotSupportedException(
                $"{user} needs ICU, and the process runs with InvariantGlobalization. "
                + "Set InvariantGlobalization (or DOTNET_SYSTEM_GLOBALIZATION_INVARIANT) to false and install libicu.");
    }
}
