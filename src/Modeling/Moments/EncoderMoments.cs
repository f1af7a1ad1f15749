using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Collects the second moments of the inputs of every linear map of a pretrained encoder.</summary>
/// <remarks>
/// Of the base, not of what fine-tuning made of it: those are the inputs at which its knowledge was learned, and one collection serves every
/// model that was tuned from it.
/// </remarks>
public static class EncoderMoments
{
    /// <summary>Runs the rows through the encoder, once.</summary>
    /// <param name="model">The base, with its weights.</param>
    /// <param name="rows">Encoded rows; every token of them counts, padding never does.</param>
    /// <param name="batchSize">Rows in a batch, 1 or more.</param>
    /// <param name="device">Where to compute, and where the moments are.</param>
    /// <param name="checkCancelled">Called before each batch; may throw.</param>
    /// <returns>The caller disposes it.</returns>
    /// <exception cref="ArgumentException">There are no rows.</exception>
    /// <exception cref="InvalidDataException">The model has no weights, or they cannot be read.</exception>
    public static InputMoments Collect(
        PretrainedModel model, IReadOnlyList<EncodedText> rows, int batchSize, Device device, Action? checkCancelled = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        if (rows.Count == 0) throw new ArgumentException("There are no rows to run through the encoder; give some.", nameof(rows));
        if (!model.HasWeights)
            throw new InvalidDataException($"{model.Name}: there are no pretrained weights, so nothing that could be retained. Use a pretrained checkpoint.");
        var moments = new InputMoments(device);
        try
        {
            using var share = SharedWeights.Acquire(model, device);
            var source = new ParameterSource(share.Tensors, device, isTrainable: _ => false, generator: null);
            using var encoder = new Encoder(
                new NetworkContext(model.Config, moments.Projections(new PlainProjections()), Dropout: null), source.Under(model.Config.CheckpointPrefix));
            encoder.eval();
            // Rows of like length together: less padding to compute, and the order of a sum of squares is of no account.
            foreach (var batch in rows.OrderBy(row => row.Ids.Length).Chunk(batchSize))
            {
                checkCancelled?.Invoke();
                Run(moments, encoder, batch, model.Config, device);
            }
            return moments;
        }
        catch
        {
            moments.Dispose();
            throw;
        }
    }

    /// <summary>The name under which a checkpoint's matrix has its moment.</summary>
    /// <param name="name">The matrix's key in a file, with or without the family's prefix, without ".weight".</param>
    /// <param name="config">Of the encoder.</param>
    /// <returns>A name of the form of <see cref="InputMoments.Names"/>, whether or not there is such a map; null for a key that carries nothing to load.</returns>
    public static string? NameOf(string name, EncoderConfig config)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(config);
        return CheckpointKeys.Canonical($"{name}.weight", config) is { } key ? MatrixKeys.NameOf(key) : null;
    }

    private static void Run(InputMoments moments, Encoder encoder, EncodedText[] rows, EncoderConfig config, Device device)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Create(rows, config, device);
        using var pass = moments.Begin(batch);
        encoder.forward(batch);
    }
}
