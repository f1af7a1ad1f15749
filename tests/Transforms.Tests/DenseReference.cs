using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Transforms.Tests;

/// <summary>The paper's formulas on whole matrices in float64, and the scores of a network of such matrices.</summary>
internal static class DenseReference
{
    /// <summary>W0 + scale · B A, or the tuned matrix, in float64.</summary>
    public static Tensor TunedMatrix(TextClassifier classifier, string name)
    {
        if (classifier.Description.Lora is not { } lora) return classifier.Tuned[$"{name}.weight"].to(ScalarType.Float64);
        var (a, b) = (classifier.Tuned[$"{name}.lora_A.weight"].to(ScalarType.Float64), classifier.Tuned[$"{name}.lora_B.weight"].to(ScalarType.Float64));
        return BaseMatrix(classifier, name) + b.matmul(a) * lora.Scaling;
    }

    public static Tensor BaseMatrix(TextClassifier classifier, string name)
    {
        using var share = SharedWeights.Acquire(classifier.Description.Base, CPU);
        return share.Tensors[$"{name}.weight"].to(ScalarType.Float64);
    }

    /// <summary>W + (λ − 1) σ_j u_j v_jᵀ for the first j of the leading ten with max |cosine| below ½, by complete decompositions.</summary>
    public static Tensor TopIntruderScaled(Tensor baseMatrix, Tensor tuned, double scale)
    {
        var (u0, _, _) = linalg.svd(baseMatrix, fullMatrices: false);
        var (u, s, vh) = linalg.svd(tuned, fullMatrices: false);
        for (var j = 0; j < 10; j++)
        {
            if (u0.t().matmul(u.select(1, j)).abs().max().item<double>() >= 0.5) continue;
            return tuned + u.select(1, j).outer(vh[j]) * (s[j].item<double>() * (scale - 1));
        }
        return tuned;
    }

    /// <summary>Scores of the classifier with these matrices in place of its own.</summary>
    public static float[][] Scores(TextClassifier classifier, Func<string, Tensor> matrix, IReadOnlyList<string> texts)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var description = classifier.Description with { Lora = null };
        Dictionary<string, Tensor> tuned;
        using (var share = SharedWeights.Acquire(description.Base, CPU))
            tuned = share.Tensors.Concat(classifier.Tuned.Where(weight => !LoraProjections.IsAdapterKey(weight.Key)))
                .GroupBy(weight => weight.Key).ToDictionary(weights => weights.Key, weights => weights.Last().Value.clone().DetachFromDisposeScope());
        foreach (var (name, _) in SequenceClassifier.Matrices(description.Base.Config))
            tuned[$"{name}.weight"].copy_(matrix(name));
        using var dense = new TextClassifier(description, tuned, CPU);
        var classes = description.ClassCount;
        return [.. texts.Select(text => dense.Score([description.Base.Tokenizer.Encode(text, null, description.MaxTokens)])[..classes])];
    }

    /// <summary>Scores of the classifier behind a transformer with each matrix changed.</summary>
    public static float[][] Scores(IFineTunedModel model, Func<TextClassifier, string, Tensor> matrix, IReadOnlyList<string> texts)
    {
        float[][] scores = [];
        PlantedModel.Use(model, classifier => scores = Scores(classifier, name => matrix(classifier, name), texts));
        return scores;
    }
}
