using System.Runtime.CompilerServices;
using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA;

/// <summary>Continues texts with a decoder.</summary>
/// <remarks>Owns its weights; dispose it. Safe to use from several threads.</remarks>
public sealed class TextGenerator : IDisposable
{
    private readonly DecoderNetwork _network;
    private readonly TextTokenizer _tokenizer;
    private readonly HashSet<int> _endIds;

    /// <summary>Puts a network and its tokenizer together.</summary>
    /// <param name="network">Taken over: disposed with this, or at once where the two do not fit.</param>
    /// <param name="tokenizer">The tokenizer that the network was trained with.</param>
    /// <exception cref="InvalidDataException">The tokenizer has more entries than the network's embedding has rows.</exception>
    /// <exception cref="InvalidOperationException">Text cannot be read off the tokenizer's tokens one by one.</exception>
    public TextGenerator(DecoderNetwork network, TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(tokenizer);
        (_network, _tokenizer) = (network, tokenizer);
        try
        {
            if (ModelFaults.OfTokenizer(network.Config, tokenizer) is [var fault, ..]) throw new InvalidDataException($"{network.Config.ModelType}: {fault}");
            tokenizer.StartDecoding();
        }
        catch
        {
            network.Dispose();
            throw;
        }
        _endIds = [.. network.Config.EndTokenIds];
        if (tokenizer.EndId is { } end) _endIds.Add(end);
    }

    /// <summary>Sizes and constants of the decoder.</summary>
    public DecoderConfig Config => _network.Config;

    /// <summary>Text to token ids and back.</summary>
    public TextTokenizer Tokenizer => _tokenizer;

    /// <summary>Opens a checkpoint folder in Hugging Face's layout: config.json, safetensors weights in one file or in shards, the tokenizer's files.</summary>
    /// <inheritdoc cref="DecoderNetwork.Open"/>
    public static TextGenerator Open(string folder, Device device, string? adapterFolder = null, ScalarType dataType = ScalarType.Float32)
    {
        TorchNativeLibrary.EnsureLoaded();
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: no such folder. Give a checkpoint folder with config.json, {Checkpoint.FileName} and the tokenizer's files.");
        var tokenizer = TextTokenizer.FromFolder(folder);
        return new TextGenerator(DecoderNetwork.Open(folder, device, adapterFolder, dataType), tokenizer);
    }

    /// <summary>Continues a text.</summary>
    /// <param name="prompt">The text. Empty where the tokenizer has a token that opens texts; the model begins one of its own then.</param>
    /// <param name="options">How; null: as <see cref="GenerationOptions"/> says by default.</param>
    /// <param name="cancellation">Stops between two tokens.</param>
    /// <exception cref="ArgumentException">
    /// An option is out of range, all faults together; or the prompt does not leave room for a token in the model's context.
    /// </exception>
    /// <exception cref="InvalidDataException">The model's logits are not numbers.</exception>
    public GeneratedText Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        Generate([prompt], options, cancellation)[0];

    /// <summary>Continues several texts at once.</summary>
    /// <param name="prompts">The texts, one or more; each as for one alone.</param>
    /// <param name="options">How; null: as <see cref="GenerationOptions"/> says by default.</param>
    /// <param name="cancellation">Stops between two tokens.</param>
    /// <returns>In the order of <paramref name="prompts"/>.</returns>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)" path="/exception"/>
    public IReadOnlyList<GeneratedText> Generate(IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        var (rows, settings) = Begin(prompts, options);
        using var run = new GenerationRun(_network, rows, settings.UsesCache);
        while (!run.IsDone)
        {
            cancellation.ThrowIfCancellationRequested();
            run.Step();
        }
        return [.. rows.Select(row => row.ToText())];
    }

    /// <summary>Continues a text, and gives out what is certain of it as soon as it is.</summary>
    /// <remarks>Characters that are spread over several tokens, and what may be the beginning of a stop string, are held back until they are whole.</remarks>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    /// <returns>Pieces of text, none of them empty; together they are <see cref="GeneratedText.Text"/>.</returns>
    public IAsyncEnumerable<string> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        var (rows, settings) = Begin([prompt], options);      // at the door, not when the first piece is asked for
        return StreamAsync(rows[0], settings, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _network.Dispose();

    private async IAsyncEnumerable<string> StreamAsync(GenerationRow row, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var run = new GenerationRun(_network, [row], options.UsesCache);
        while (!run.IsDone)
        {
            var piece = (await Task.Run(run.Step, cancellation).ConfigureAwait(false))[0];
            if (piece.Length > 0) yield return piece;
        }
    }

    private (IReadOnlyList<GenerationRow> Rows, GenerationOptions Options) Begin(IReadOnlyList<string> prompts, GenerationOptions? options)
    {
        var settings = options ?? new GenerationOptions();
        if (string.Join(" ", settings.Faults()) is { Length: > 0 } faults) throw new ArgumentException(faults, nameof(options));
        if (prompts.Count == 0) throw new ArgumentException("There is no prompt; give one or more.", nameof(prompts));
        return ([.. prompts.Select((prompt, r) => Begin(prompt, settings, unchecked(settings.Seed + r)))], settings);
    }

    private GenerationRow Begin(string prompt, GenerationOptions options, int seed)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var (ids, context) = (_tokenizer.Encode(prompt, null, int.MaxValue).Ids, Config.MaxPositions);
        if (ids.Length == 0)
            throw new ArgumentException("The prompt is empty, and this model has no token that opens a text; give at least one character.", nameof(prompt));
        if (ids.Length >= context)
            throw new ArgumentException(
                $"The prompt has {ids.Length} tokens, and the model's context of {context} has to hold at least one new token too; "
                + $"shorten it by {ids.Length - context + 1} tokens or more, or use a model with a longer context.", nameof(prompt));
        return new GenerationRow(ids, context, _endIds, _tokenizer.StartDecoding(continuesText: prompt.Length > 0), options, seed);
    }
}
