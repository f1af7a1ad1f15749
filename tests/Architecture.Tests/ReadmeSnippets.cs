using Microsoft.ML;
using MLNetLoRA;

namespace Reviews;

/// <summary>The C# of README.md, compiled: each code block is one region here, word for word (ReadmeTests.cs).</summary>
/// <remarks>In a namespace of its own, so that a snippet needs the usings that its reader needs.</remarks>
internal static class ReadmeSnippets
{
    public static void FineTune(IDataView train, IDataView test)
    {
        #region README: fine-tune
        var ml = new MLContext(seed: 1);
        var roberta = PretrainedModel.FromFolder("models/roberta-base");      // or PretrainedModel.MiniEncoder, embedded

        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.LoraTextClassification(roberta, sentence1ColumnName: "Review"))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

        ITransformer model = pipeline.Fit(train);
        var metrics = ml.MulticlassClassification.Evaluate(model.Transform(test));
        Console.WriteLine($"accuracy {metrics.MicroAccuracy:F3}, log-loss {metrics.LogLoss:F3}");
        ml.Model.SaveAtomically(model, train.Schema, "reviews.mlnet");        // ml.Model.Load opens it, with nothing to register
        #endregion
    }

    public static void Options(MLContext ml, PretrainedModel roberta)
    {
        #region README: options
        var trainer = ml.MulticlassClassification.Trainers.LoraTextClassification(roberta, new TextClassificationOptions
        {
            Sentence1ColumnName = "Review",
            ValidationFraction = 0.1,                  // or ValidationSet: labels are matched to the training keys by value
            MaxEpochs = 10,                            // stops early and keeps the best epoch's weights
            Lora = new LoraOptions { Rank = 16, TargetModules = ["query", "value"] },
            Progress = new Progress<TrainingProgress>(step => Console.WriteLine($"{step.Step} of {step.TotalSteps}")),
        });
        #endregion
        _ = trainer;
    }

    public static void Intruders(MLContext ml, PretrainedModel roberta, IDataView train)
    {
        #region README: intruders
        var repaired = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.LoraTextClassification(roberta, sentence1ColumnName: "Review"))
            .Append(ml.Transforms.RescaleIntruderDimensions(scale: 0.7))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(train);

        SpectralReport spectrum = ml.Model.InspectIntruders(repaired);
        Console.WriteLine($"{spectrum.IntruderCount} intruder dimensions in {spectrum.Matrices.Count} matrices");
        ml.Model.SaveAdapter(repaired, "reviews-lora");
        #endregion
    }

    public static void Forgetting(MLContext ml, ITransformer model, IDataView train, string[] wikipedia, string[] news)
    {
        #region README: forgetting
        ForgettingReport lost = ml.Model.EvaluateForgetting(model, wikipedia);
        Console.WriteLine($"{lost.Forgetting:F3} ± {lost.StandardError:F3} nats per token forgotten");

        // What balances must not judge: other texts than those above.
        ITransformer balanced = ml.Transforms.BalanceRetention(news, strength: 0.5).Fit(model.Transform(train));
        #endregion
        _ = balanced;
    }
}
