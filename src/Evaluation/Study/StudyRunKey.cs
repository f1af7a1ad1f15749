using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using MLNetLoRA.Trainers;

namespace MLNetLoRA.Evaluation;

/// <summary>What a run rests on, as a short name: equal for runs that would come out alike.</summary>
internal sealed class StudyRunKey
{
    // Raised when runs come out otherwise or a kept run holds other numbers.
    private const int Version = 1;
    private const int Digits = 24;

    private readonly PretrainedModel _model;
    private readonly StudySettings _settings;
    private readonly string _data;

    public StudyRunKey(PretrainedModel model, LabelledTask rows, IReadOnlyList<RetentionCorpus> corpora, StudySettings settings)
    {
        (_model, _settings) = (model, settings);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in rows.ClassNames) Add(hash, name);
        Add(hash, rows.Training);
        Add(hash, rows.Test);
        foreach (var corpus in corpora)
        {
            Add(hash, FormattableString.Invariant($"{corpus.Name} {corpus.Weight} {corpus.Texts.Count}"));
            foreach (var text in corpus.Texts) Add(hash, text);
        }
        _data = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The name of one run.</summary>
    public string Of(StudyPlan plan)
    {
        var (training, forgetting) = (_settings.Training, _settings.Forgetting);
        var rests = ReportJson.Of(new
        {
            Version, Base = _model.ContentHash, Data = _data, Plan = plan,
            Training = new
            {
                training.BatchSize, training.GradientAccumulationSteps, training.MaxEpochs, MaxTokens = training.EffectiveMaxTokens(_model), training.Schedule,
                training.WarmupRatio, training.WeightDecay, training.MaxGradientNorm, training.Dropout, training.ClassWeighting, training.ClassWeights,
                LoraDropout = training.Lora.Dropout, training.Lora.TargetModules, training.Lora.Initialization,
            },
            Forgetting = new { forgetting.Measure, forgetting.Positions, MaxTokens = forgetting.EffectiveMaxTokens(_model), forgetting.Seed },
            _settings.Spectral,
            Repair = plan.MeasuresRepair
                ? new
                {
                    _settings.Repair.Methods, _settings.Repair.Scales, _settings.Repair.AccuracyTolerance, _settings.Repair.Epsilon, _settings.Repair.TopK,
                    _settings.BalanceTexts, Strengths = _settings.BalanceTexts.Count > 0 ? _settings.BalanceStrengths : [],
                }
                : null,
        });
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(rests)))[..Digits];
    }

    private static void Add(IncrementalHash hash, EncodedRows rows)
    {
        Add(hash, FormattableString.Invariant($"{rows.Count} rows"));
        foreach (var (text, c) in rows.Texts.Zip(rows.Classes))
        {
            hash.AppendData(MemoryMarshal.AsBytes<int>([c, text.Ids.Length]));
            hash.AppendData(MemoryMarshal.AsBytes<int>(text.Ids));
        }
    }

    // With its length, so that two texts are not one longer one.
    private static void Add(IncrementalHash hash, string text)
    {
        hash.AppendData(MemoryMarshal.AsBytes<int>([text.Length]));
        hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
    }
}
