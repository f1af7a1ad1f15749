namespace MLNetLoRA.Modeling.Tests.Networks;

/// <summary>What a test says of a family, in the words of its papers and of the transformers library's documentation.</summary>
/// <param name="Prefix">Before the encoder's keys.</param>
/// <param name="Layer">Key of layer n, with {0} for n.</param>
/// <param name="Keys">Below the layer: query, key, value, attention output, attention norm, feed-forward in, feed-forward out, output norm.</param>
/// <param name="HasTypes">Whether there are token type embeddings.</param>
internal sealed record ReferenceKeys(string Prefix, string Layer, string[] Keys, bool HasTypes)
{
    public static readonly string[] Bert =
    [
        "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
        "intermediate.dense", "output.dense", "output.LayerNorm",
    ];

    public static readonly string[] DistilBert =
        ["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"];
}

/// <summary>A post-norm transformer encoder in double precision and plain loops, one row at a time: slow, obvious, and no kin of the networks.</summary>
internal sealed class ReferenceEncoder(IReadOnlyDictionary<string, double[]> weights, ReferenceKeys keys, int layers, int heads, double epsilon)
{
    /// <summary>One vector per token of a row without padding.</summary>
    public double[][] Run(int[] ids, int[] types, int firstPosition)
    {
        var words = Table("word_embeddings");
        var positions = Table("position_embeddings");
        var hidden = ids.Select((id, t) =>
        {
            var sum = Add(Row(words, id), Row(positions, firstPosition + t));
            return keys.HasTypes ? Add(sum, Row(Table("token_type_embeddings"), types[t])) : sum;
        }).Select(x => Norm($"{keys.Prefix}.embeddings.LayerNorm", x)).ToArray();
        if (weights.ContainsKey($"{keys.Prefix}.embeddings_project.weight"))
            hidden = [.. hidden.Select(x => Linear($"{keys.Prefix}.embeddings_project", x))];
        for (var n = 0; n < layers; n++) hidden = Layer(string.Format(System.Globalization.CultureInfo.InvariantCulture, keys.Layer, n), hidden);
        return hidden;

        double[][] Table(string name)
        {
            var width = weights[$"{keys.Prefix}.embeddings.LayerNorm.weight"].Length;
            return [.. weights[$"{keys.Prefix}.embeddings.{name}.weight"].Chunk(width)];
        }

        static double[] Row(double[][] table, int row) => table[row];
    }

    public double[] Linear(string key, double[] x)
    {
        var bias = weights[$"{key}.bias"];
        var matrix = weights[$"{key}.weight"];
        return [.. bias.Select((b, row) => b + x.Select((value, column) => value * matrix[row * x.Length + column]).Sum())];
    }

    public double[] Norm(string key, double[] x)
    {
        var mean = x.Average();
        var variance = x.Average(value => (value - mean) * (value - mean));
        var (scale, shift) = (weights[$"{key}.weight"], weights[$"{key}.bias"]);
        return [.. x.Select((value, i) => (value - mean) / Math.Sqrt(variance + epsilon) * scale[i] + shift[i])];
    }

    /// <summary>x Φ(x), Φ by its power series: exact to about 1e-9 for the values that occur.</summary>
    public static double Gelu(double x)
    {
        var z = x / Math.Sqrt(2);
        if (Math.Abs(z) > 5) return z > 0 ? x : 0;
        double sum = 0, term = z;
        for (var n = 0; n < 200; n++)
        {
            sum += term / (2 * n + 1);
            term *= -z * z / (n + 1);
        }
        return x * 0.5 * (1 + 2 / Math.Sqrt(Math.PI) * sum);
    }

    private double[][] Layer(string layer, double[][] hidden)
    {
        string Key(int n) => $"{layer}.{keys.Keys[n]}";
        var attended = Attend([.. hidden.Select(x => Linear(Key(0), x))], [.. hidden.Select(x => Linear(Key(1), x))], [.. hidden.Select(x => Linear(Key(2), x))]);
        return
        [
            .. hidden.Zip(attended, (x, mixed) =>
            {
                var middle = Norm(Key(4), Add(x, Linear(Key(3), mixed)));
                var expanded = Linear(Key(5), middle).Select(Gelu).ToArray();
                return Norm(Key(7), Add(middle, Linear(Key(6), expanded)));
            }),
        ];
    }

    private double[][] Attend(double[][] query, double[][] key, double[][] value)
    {
        var size = query[0].Length / heads;
        var result = query.Select(row => new double[row.Length]).ToArray();
        for (var h = 0; h < heads; h++)
        {
            for (var t = 0; t < query.Length; t++)
            {
                var scores = key.Select(k => Enumerable.Range(h * size, size).Sum(i => query[t][i] * k[i]) / Math.Sqrt(size)).ToArray();
                var exponentials = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
                for (var i = h * size; i < (h + 1) * size; i++)
                    result[t][i] = exponentials.Select((e, s) => e / exponentials.Sum() * value[s][i]).Sum();
            }
        }
        return result;
    }

    private static double[] Add(double[] left, double[] right) => [.. left.Zip(right, (l, r) => l + r)];
}
