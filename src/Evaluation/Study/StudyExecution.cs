using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetLoRA.Modeling;
using MLNetLoRA.Trainers;
using MLNetLoRA.Transforms;
using static TorchSharp.torch;

namespace MLNetLoRA.Evaluation;

/// <summary>Makes the runs of a study, one after the other; those that a folder keeps are taken from it.</summary>
internal sealed class StudyExecution(
    MLContext ml, PretrainedModel model, LabelledTask rows, IDataView testSet, IReadOnlyList<RetentionCorpus> corpora, StudySettings settings)
{
    // What can be told apart in a picture.
    private const int PicturedVectors = 64;

    private readonly IReadOnlyList<StudyPlan> _plans = StudyPlan.Of(model, settings);
    private readonly Device _device = ComputeDevice.Choose(settings.Training.Device, ml.GpuDeviceId, ml.FallbackToCpu, log: _ => { });
    private readonly List<StudyFailure> _failures = [];

    // Made when the first run needs it: where all are kept, the base is not measured again.
    private RetentionMeasurement? _retention;

    /// <summary>Trainings that came to nothing.</summary>
    public IReadOnlyList<StudyFailure> Failures => _failures;

    /// <summary>All runs, in the order of the settings.</summary>
    public IReadOnlyList<StudyRun> Run()
    {
        var folder = settings.RunsFolder is { } path ? new StudyRunFolder(path) : null;
        var key = new StudyRunKey(model, rows, corpora, settings);
        // All are read before the first is made: a damaged one is known at once.
        var kept = _plans.Select(plan => folder?.Find(key.Of(plan), plan)).ToList();
        var runs = new List<StudyRun>();
        foreach (var (index, plan) in _plans.Index())
        {
            if (kept[index] is { } known)
            {
                Say($"Run {index + 1} of {_plans.Count}, {plan.Name}: kept");
                runs.Add(known);
                continue;
            }
            Say($"Run {index + 1} of {_plans.Count}, {plan.Name}");
            if (Make(plan) is not { } made) continue;
            folder?.Keep(key.Of(plan), made);
            runs.Add(made);
        }
        return runs;
    }

    private StudyRun? Make(StudyPlan plan)
    {
        try
        {
            return Measured(plan);
        }
        catch (TrainingDivergedException error)
        {
            // A rate that is too high is a finding; the other runs go on.
            (error.LastGoodModel as IDisposable)?.Dispose();
            _failures.Add(new StudyFailure(plan.Tuning, plan.LearningRate, plan.Seed, error.Message));
            Say($"{plan.Name} came to nothing: {error.Message}");
            return null;
        }
    }

    private StudyRun Measured(StudyPlan plan)
    {
        var clock = Stopwatch.StartNew();
        using var fitted = Fit(plan, plan.Training(settings));
        var (task, forgetting) = Tested(fitted);
        var spectrum = Inspect(fitted);
        return new StudyRun
        {
            Tuning = plan.Tuning,
            LearningRate = plan.LearningRate,
            Seed = plan.Seed,
            TrainLoss = fitted.TrainingReport.Epochs[^1].TrainLoss,
            Task = task,
            Forgetting = forgetting.Forgetting,
            ForgettingError = forgetting.StandardError,
            Counts = SpectrumSummary.Counts(spectrum, settings.Spectral),
            DeltaFrobenius = SpectrumSummary.DeltaFrobenius(spectrum),
            EffectiveRank = spectrum.Matrices.Average(matrix => matrix.EffectiveRank),
            Matrices = [.. spectrum.Matrices.Select(matrix => new StudyMatrix(
                matrix.Name, matrix.Intruders.Count, matrix.IntruderEnergyShare, matrix.DeltaFrobenius, matrix.EffectiveRank))],
            Growth = plan.MeasuresGrowth ? Growth(plan) : [],
            Repair = plan.MeasuresRepair ? Repaired(plan, fitted) : null,
            Balance = plan.MeasuresRepair && settings.BalanceTexts.Count > 0 ? Balanced(plan, fitted) : [],
            Similarity = plan.MeasuresRepair ? Compared(fitted, spectrum) : null,
            TrainingSeconds = fitted.TrainingReport.TrainingSeconds,
            Seconds = clock.Elapsed.TotalSeconds,
        };
    }

    private TextClassificationTransformer Fit(StudyPlan plan, TextClassificationOptions options)
    {
        var trainers = ml.MulticlassClassification.Trainers;
        var trainer = plan.Tuning.Method is FineTuningMethod.Lora
            ? trainers.LoraTextClassification(model, options)
            : trainers.FullFineTuningTextClassification(model, options);
        return trainer.Fit(rows.KeyedTraining);
    }

    private (TaskMetric Task, ForgettingReport Forgetting) Tested(ITransformer fitted)
    {
        var tuned = ModelParts.Find(fitted, settings.Training.ScoreColumnName);
        using var share = tuned.AcquireShare();
        var classifier = share.Resource.Classifier;
        var task = new TaskTest(tuned, classifier.Description, testSet, settings.Training.LabelColumnName, settings.CancellationToken).Of(classifier);
        _retention ??= new RetentionMeasurement(model, corpora, Forgetting, _device, _plans.Count);
        using var state = LanguageModelState.OfClassifier(classifier, _device);
        return (task, _retention.Measure(state));
    }

    private SpectralReport Inspect(TextClassificationTransformer fitted) =>
        ml.Model.InspectIntruders(fitted, new IntruderInspectionOptions { Spectral = settings.Spectral, CancellationToken = settings.CancellationToken });

    // At a constant rate without warm-up the first epochs of a long training are a short one.
    private List<StudySnapshot> Growth(StudyPlan plan)
    {
        var snapshots = new List<StudySnapshot>();
        for (var epochs = 1; epochs <= settings.Training.MaxEpochs; epochs++)
        {
            Say($"{plan.Name}: growth, {epochs} of {settings.Training.MaxEpochs} epochs");
            var options = plan.Training(settings) with { MaxEpochs = epochs, Schedule = LearningRateSchedule.Constant, WarmupRatio = 0 };
            using var fitted = Fit(plan, options);
            var spectrum = Inspect(fitted);
            var count = SpectrumSummary.Count(spectrum, settings.Spectral.Epsilon[0], settings.Spectral.TopK[0]);
            snapshots.Add(new StudySnapshot(epochs, count.Intruders, count.EnergyShare, SpectrumSummary.DeltaFrobenius(spectrum)));
        }
        return snapshots;
    }

    private RepairCurve Repaired(StudyPlan plan, TextClassificationTransformer fitted)
    {
        Say($"{plan.Name}: repairs");
        return ml.Model.EvaluateRepair(fitted, corpora, settings.Repair with
        {
            Forgetting = Forgetting, TestSet = testSet, LabelColumnName = settings.Training.LabelColumnName,
        });
    }

    private List<StudyBalance> Balanced(StudyPlan plan, TextClassificationTransformer fitted)
    {
        var points = new List<StudyBalance>();
        var scored = fitted.Transform(rows.KeyedTraining);
        foreach (var strength in settings.BalanceStrengths.Order())
        {
            Say(FormattableString.Invariant($"{plan.Name}: balance at {strength}"));
            var options = new BalanceOptions
            {
                RetentionTexts = settings.BalanceTexts, Strength = strength, ScoreColumnName = settings.Training.ScoreColumnName, CancellationToken = settings.CancellationToken,
            };
            using var balanced = ml.Transforms.BalanceRetention(options).Fit(scored);
            var (task, forgetting) = Tested(new TransformerChain<ITransformer>(fitted, balanced));
            points.Add(new StudyBalance(strength, task, forgetting.Forgetting, forgetting.StandardError));
        }
        return points;
    }

    private SingularVectorSimilarity Compared(TextClassificationTransformer fitted, SpectralReport spectrum)
    {
        var whole = ml.Model.CompareSingularVectors(fitted, spectrum.Matrices.MaxBy(matrix => matrix.Intruders.Count)!.Name);
        return whole with { Cosines = [.. whole.Cosines.Take(PicturedVectors).Select(row => (double[])[.. row.Take(PicturedVectors).Select(cosine => Math.Round(cosine, 2))])] };
    }

    private ForgettingOptions Forgetting => settings.Forgetting with { CancellationToken = settings.CancellationToken };

    private void Say(string activity)
    {
        settings.CancellationToken.ThrowIfCancellationRequested();
        settings.Progress?.Report(activity);
    }
}
