namespace MLNetLoRA.Cli.Input;

/// <summary>What --base names.</summary>
internal static class BaseModel
{
    public const string MiniEncoder = "mini-encoder";
    private const string NewPrefix = "new:";

    /// <summary>The model that <c>--base</c> and <c>--tokenizer</c> name.</summary>
    /// <exception cref="BadInputException">One of them is missing or without effect.</exception>
    /// <exception cref="IOException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or contradicts another.</exception>
    public static PretrainedModel Open(string name, string? tokenizer)
    {
        var isNew = name.StartsWith(NewPrefix, StringComparison.Ordinal);
        if (isNew && tokenizer is null) throw new BadInputException($"--base {name} needs --tokenizer DIR, a folder with the tokenizer's files.");
        if (!isNew && tokenizer is not null)
            throw new BadInputException($"--tokenizer has no effect with --base {name}, which brings its own; leave it out.");
        if (isNew) return PretrainedModel.FromScratch(name[NewPrefix.Length..], tokenizer!);
        return FromName(name, $"a checkpoint folder, {MiniEncoder}, or {NewPrefix}CONFIG.json");
    }

    /// <summary>The model that <c>--base</c> names, where it must have been trained.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static PretrainedModel OpenPretrained(string name) => FromName(name, $"a checkpoint folder, or {MiniEncoder}");

    private static PretrainedModel FromName(string name, string wanted)
    {
        if (name == MiniEncoder) return PretrainedModel.MiniEncoder;
        return Directory.Exists(name) ? PretrainedModel.FromFolder(name) : throw new BadInputException($"{name}: no such folder. Give {wanted}.");
    }
}
