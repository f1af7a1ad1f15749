namespace MLNetLoRA.Trainers;

/// <summary>Finds the base that a saved classifier refers to and does not hold.</summary>
internal static class ReferredBase
{
    /// <summary>Folders to look in first: each may hold the base under its name.</summary>
    public const string SearchVariable = "MLNETLORA_BASE_PATH";

    /// <summary>The first folder that has the content wanted: under the search path, then where the base was when the model was saved.</summary>
    /// <exception cref="InvalidDataException">None has; the message says of each what is wrong with it.</exception>
    public static PretrainedModel Open(BaseHeader wanted)
    {
        var name = Path.GetFileName(wanted.Name);
        List<string> rejected = [];
        foreach (var folder in Searched(name))
        {
            if (TryOpen(folder, wanted.ContentHash, rejected) is { } found) return found;
        }

        // Whoever made the file chose this path: opening another machine's would tell it who loads the model, and a relative one leads anywhere.
        if (wanted.Folder is { } stored)
        {
            if (!IsLocal(stored)) rejected.Add($"'{stored}', from the model file: not a full path on this machine, not opened");
            else if (TryOpen(stored, wanted.ContentHash, rejected) is { } found) return found;
        }
        throw new InvalidDataException(
            $"The model refers to its base '{wanted.Name}' (content {Shorten(wanted.ContentHash)}) and does not hold it. "
            + $"{(rejected.Count > 0 ? $"Looked at {string.Join("; ", rejected)}. " : "")}"
            + $"Set {SearchVariable} to the folder that contains '{name}', with the configuration, tokenizer and weights that the model was trained from.");
    }

    private static IEnumerable<string> Searched(string name) => name is "" or "." or ".."
        ? []
        : (Environment.GetEnvironmentVariable(SearchVariable) ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(place => Path.Combine(place, name));

    private static bool IsLocal(string path) => Path.IsPathFullyQualified(path) && !(path.Length > 1 && path[0] is '/' or '\\' && path[1] is '/' or '\\');

    private static PretrainedModel? TryOpen(string folder, string contentHash, List<string> rejected)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                rejected.Add($"{folder}: no such folder");
                return null;
            }
            var model = PretrainedModel.FromFolder(folder);
            if (model.ContentHash == contentHash) return model;
            rejected.Add($"{folder}: not the base that the model was trained from (content {Shorten(model.ContentHash)})");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            rejected.Add($"{folder}: cannot be opened ({e.Message.TrimEnd('.')})");
        }
        return null;
    }

    private static string Shorten(string hash) => hash[..12] + "…";
}
