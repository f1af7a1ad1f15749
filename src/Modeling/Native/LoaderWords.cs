namespace MLNetLoRA.Modeling;

/// <summary>What a failed load says, fit for the middle of a message.</summary>
internal static class LoaderWords
{
    /// <summary>What an exception says, as one sentence; of a failed load only the loader's own words, which come last.</summary>
    public static string Of(Exception exception)
    {
        var text = exception.Message.TrimEnd();
        if (exception is DllNotFoundException) text = text[(text.LastIndexOf('\n') + 1)..];
        return text.EndsWith('.') ? text : text + ".";
    }
}
