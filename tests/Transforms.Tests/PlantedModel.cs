using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests;

/// <summary>Fine-tuned tiny models with intruder dimensions put into them, so that there are some for sure.</summary>
/// <remarks>
/// The planted direction has the same cosine, 1/√32 ≈ 0.18, with every left singular vector of the base's matrix, and more length than any of
/// them: a leading singular vector that is none of the base's.
/// </remarks>
internal static class PlantedModel
{
    public const string Query = "roberta.encoder.layer.0.attention.self.query";
    public const string Output = "roberta.encoder.layer.1.attention.output.dense";

    /// <summary>Length of what is planted: several times the base's largest singular value.</summary>
    public const double Length = 8;

    public static readonly string[] Planted = [Query, Output];

    /// <summary>A LoRA model with an intruder in two of its twelve matrices.</summary>
    public static TextClassificationTransformer Lora(PretrainedModel? model = null, TextClassificationOptions? options = null) =>
        Plant(FineTuningMethod.Lora, model, options, (tuned, name, direction, input, scale) =>
        {
            tuned[$"{name}.lora_A.weight"][0].copy_(input);
            tuned[$"{name}.lora_B.weight"].select(1, 0).copy_(direction * (Length / scale));
        });

    /// <summary>A fully tuned model with an intruder in two of its twelve matrices.</summary>
    public static TextClassificationTransformer Full(TextClassificationOptions? options = null) =>
        Plant(FineTuningMethod.Full, null, options, (tuned, name, direction, input, _) =>
            tuned[$"{name}.weight"].add_(direction.outer(input), alpha: Length));

    /// <summary>A model as it is after an epoch at almost no rate: no intruder anywhere.</summary>
    public static TextClassificationTransformer Plain(TextClassificationOptions? options = null) =>
        CapitalTask.Fit(options: Quick(options) with { LearningRate = 1e-6 });

    /// <summary>One fast epoch, with logits as scores: rounding shows in them, and is not hidden by a softmax.</summary>
    public static TextClassificationOptions Quick(TextClassificationOptions? options = null) =>
        (options ?? CapitalTask.Options with { ScoreKind = ScoreKind.Logit }) with { MaxEpochs = 1, LearningRate = 1e-3 };

    public static void Use(IFineTunedModel model, Action<TextClassifier> act)
    {
        using var share = model.AcquireShare();
        act(share.Resource.Classifier);
    }

    public static IDataView Data(int count = 30, int seed = 7) => CapitalTask.Keyed(new MLContext(1), CapitalTask.Rows(count, seed));

    public static float[][] Scores(IDataView data, string name = "Score") => [.. data.GetColumn<float[]>(name)];

    public static void AssertClose(float[][] expected, float[][] actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (var (r, row) in expected.Index())
            foreach (var (c, score) in row.Index()) Assert.Equal(score, actual[r][c], tolerance);
    }

    /// <summary>Whether two sets of scores differ somewhere by more than rounding.</summary>
    public static bool Differ(float[][] left, float[][] right) =>
        left.Zip(right).Any(rows => rows.First.Zip(rows.Second).Any(pair => Math.Abs(pair.First - pair.Second) > 1e-3));

    private static TextClassificationTransformer Plant(
        FineTuningMethod method, PretrainedModel? model, TextClassificationOptions? options,
        Action<IReadOnlyDictionary<string, Tensor>, string, Tensor, Tensor, double> plant)
    {
        var transformer = CapitalTask.Fit(method, Quick(options), rows: CapitalTask.Rows(32), model: model);
        Use(transformer, classifier =>
        {
            using var _ = no_grad();
            using var scope = NewDisposeScope();
            using var share = SharedWeights.Acquire(classifier.Description.Base, CPU);
            foreach (var name in Planted)
            {
                var (u, _, vh) = linalg.svd(share.Tensors[$"{name}.weight"], fullMatrices: false);
                plant(classifier.Tuned, name, u.mean([1]) * Math.Sqrt(u.shape[1]), vh.mean([0]) * Math.Sqrt(vh.shape[0]), classifier.Description.Lora?.Scaling ?? 1);
            }
        });
        return transformer;
    }
}
