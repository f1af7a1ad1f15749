using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MLNetLoRA.Trainers.Tests;

/// <summary>An estimator that learns nothing: it reads the classes from the label column and hands out a fake scorer.</summary>
internal sealed class FakeTextTrainer(IHostEnvironment env, TextColumns columns, string labelColumnName = "Label") : IEstimator<FakeTextTransformer>
{
    private readonly IHost _host = env.Register(nameof(FakeTextTrainer));

    public FakeTextTransformer Fit(IDataView input)
    {
        var labels = LabelValues.From(input.Schema[labelColumnName]);
        return new FakeTextTransformer(_host, columns, labels, new FakeScorer(labels.Count), [1, 2, 3]);
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => TextTrainerShape.Output(_host, inputSchema, columns, labelColumnName);
}
