using MLNetLoRA.Modeling;
using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.MaskedLanguageModeling;

/// <summary>A RoBERTa language model in float64, one token at a time: a token is computed from itself and those before it, with no mask at all.</summary>
internal sealed class CausalReference(MaskedLanguageModel network, EncoderConfig config)
{
    private readonly Dictionary<string, Tensor> _weights =
        network.named_parameters().ToDictionary(named => named.name, named => named.parameter.detach().to(float64));

    /// <summary>The sum over tokens 1 and up, but for those left out, of the negative log-probability that the model gives them.</summary>
    public double SummedLoss(int[] ids, Func<int, bool> isLeftOut)
    {
        using var scope = NewDisposeScope();
        var rows = new List<Tensor>();
        for (var t = 0; t < ids.Length; t++)
            rows.Add(Norm(Row("roberta.embeddings.word_embeddings", ids[t]) + Row("roberta.embeddings.position_embeddings", config.PadTokenId + 1 + t)
                + Row("roberta.embeddings.token_type_embeddings", 0), "roberta.embeddings.LayerNorm"));
        for (var layer = 0; layer < config.LayerCount; layer++) rows = Layer(rows, $"roberta.encoder.layer.{layer}");

        double loss = 0;
        for (var t = 1; t < ids.Length; t++)
        {
            if (isLeftOut(ids[t])) continue;
            var head = Norm(Gelu(Linear(rows[t - 1], "lm_head.dense")), "lm_head.layer_norm");
            var logits = _weights["roberta.embeddings.word_embeddings.weight"].matmul(head) + _weights["lm_head.bias"];
            loss += (logits.logsumexp(0) - logits[ids[t]]).item<double>();
        }
        return loss;
    }

    private List<Tensor> Layer(List<Tensor> rows, string name)
    {
        var queries = rows.ConvertAll(row => Linear(row, $"{name}.attention.self.query"));
        var keys = rows.ConvertAll(row => Linear(row, $"{name}.attention.self.key"));
        var values = rows.ConvertAll(row => Linear(row, $"{name}.attention.self.value"));
        var made = new List<Tensor>();
        for (var t = 0; t < rows.Count; t++)
        {
            var heads = new List<Tensor>();
            for (var head = 0; head < config.HeadCount; head++)
            {
                var part = TensorIndex.Slice(head * config.HeadSize, (head + 1) * config.HeadSize);
                var scores = stack([.. keys.Take(t + 1).Select(key => (key[part] * queries[t][part]).sum() / Math.Sqrt(config.HeadSize))]);
                var shares = scores.exp() / scores.exp().sum();
                heads.Add((shares.unsqueeze(-1) * stack([.. values.Take(t + 1).Select(value => value[part])])).sum(0L));
            }
            var mixed = Norm(Linear(cat([.. heads]), $"{name}.attention.output.dense") + rows[t], $"{name}.attention.output.LayerNorm");
            var expanded = Gelu(Linear(mixed, $"{name}.intermediate.dense"));
            made.Add(Norm(Linear(expanded, $"{name}.output.dense") + mixed, $"{name}.output.LayerNorm"));
        }
        return made;
    }

    private Tensor Row(string table, int row) => _weights[$"{table}.weight"][row];

    private Tensor Linear(Tensor x, string name) => _weights[$"{name}.weight"].matmul(x) + _weights[$"{name}.bias"];

    private Tensor Norm(Tensor x, string name)
    {
        var centred = x - x.mean();
        return centred / (centred.square().mean() + config.LayerNormEpsilon).sqrt() * _weights[$"{name}.weight"] + _weights[$"{name}.bias"];
    }

    private static Tensor Gelu(Tensor x) => x * 0.5 * (1 + (x / Math.Sqrt(2)).erf());
}
