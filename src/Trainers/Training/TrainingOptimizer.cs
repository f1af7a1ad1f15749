using MLNetLoRA.Modeling;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers;

/// <summary>AdamW over a network's trainable parameters, whose state can be read and put back by parameter.</summary>
/// <remarks>
/// Source: arXiv 1711.05101; first moment 0.9, epsilon 1e-8. Biases and norms are not decayed: they have no scale to keep small (as in Hugging
/// Face's Trainer). State by checkpoint key: KEY.exp_avg and KEY.exp_avg_sq, shaped as the parameter, and KEY.step, a scalar, int64.
/// </remarks>
internal sealed class TrainingOptimizer : IDisposable
{
    private readonly Parameter[] _trainable;
    private readonly string[] _keys;
    private readonly AdamW _adam;

    public TrainingOptimizer(nn.Module network, TrainingPlan plan)
    {
        // Matrices first, as in the groups: the optimizer lists its state in that order.
        var named = network.named_parameters().Where(named => named.parameter.requires_grad).OrderBy(named => named.parameter.shape.Length <= 1).ToArray();
        _trainable = [.. named.Select(named => named.parameter)];
        _keys = [.. named.Select(named => LoraProjections.CheckpointKey(named.name))];

        var matrices = _trainable.Where(parameter => parameter.shape.Length > 1).ToArray();
        var vectors = _trainable.Where(parameter => parameter.shape.Length <= 1).ToArray();
        var groups = new List<AdamW.ParamGroup>();
        if (matrices.Length > 0) groups.Add(Group(matrices, plan.WeightDecay));
        if (vectors.Length > 0) groups.Add(Group(vectors, 0));
        _adam = new AdamW(groups, plan.LearningRate);

        AdamW.ParamGroup Group(Parameter[] parameters, double weightDecay) =>
            new(parameters, plan.LearningRate, beta2: plan.SecondMomentDecay, weight_decay: weightDecay);
    }

    /// <summary>Shortens the gradient of all parameters together to <paramref name="limit"/> where it is longer.</summary>
    /// <returns>Its length before.</returns>
    public double ClipGradient(double? limit) => nn.utils.clip_grad_norm_(_trainable, limit ?? double.PositiveInfinity);

    /// <summary>Takes one step against the gradients and clears them.</summary>
    public void Step(double rate)
    {
        foreach (var group in _adam.ParamGroups) group.LearningRate = rate;
        _adam.step();
        _adam.zero_grad();
    }

    /// <summary>The live moments, which go on changing, and the step counts as they are now; both belong to the caller's dispose scope or to this.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> ReadState()
    {
        foreach (var (key, state) in States())
        {
            yield return KeyValuePair.Create($"{key}.exp_avg", state.exp_avg);
            yield return KeyValuePair.Create($"{key}.exp_avg_sq", state.exp_avg_sq);
            yield return KeyValuePair.Create($"{key}.step", tensor(state.step, dtype: int64, device: CPU));
        }
    }

    /// <summary>Puts back what <see cref="ReadState"/> gave; the tensors stay the caller's.</summary>
    public void Restore(IReadOnlyDictionary<string, Tensor> saved)
    {
        using var _ = no_grad();
        foreach (var (key, state) in States())
        {
            state.exp_avg.copy_(saved[$"{key}.exp_avg"]);
            state.exp_avg_sq.copy_(saved[$"{key}.exp_avg_sq"]);
            state.step = saved[$"{key}.step"].item<long>();
        }
    }

    public void Dispose() => _adam.Dispose();

    private IEnumerable<(string Key, AdamW.State State)> States() => _keys.Zip(_adam.state_dict().State.Cast<AdamW.State>());
}
