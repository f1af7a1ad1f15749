using System.Text.Json;
using MLNetLoRA.Modeling;
using MLNetLoRA.Testing;
using static TorchSharp.torch;

namespace MLNetLoRA.Spectral.Tests;

/// <summary>Five matrices before and after a change, with what float64 decompositions by another program say of them.</summary>
internal sealed class SpectralFixture : IDisposable
{
    /// <summary>Names of the matrices, known before the fixture is looked for.</summary>
    public static readonly string[] Matrices = ["square", "tall", "wide", "mild", "dense"];

    // The tuned matrix is stored in float32, so the difference holds its rounding too.
    private const double NegligibleShare = 1e-6;

    private readonly JsonDocument _expected = JsonDocument.Parse(File.ReadAllText(SharedData.Path("spectral-parity", "expected.json")));

    private SpectralFixture(string matrix)
    {
        Base = Read("base.safetensors", matrix);
        Tuned = Read("tuned.safetensors", matrix);
        Change = WeightChange.Dense(matrix, Base, Tuned);
    }

    public Tensor Base { get; }

    public Tensor Tuned { get; }

    public WeightChange Change { get; }

    public JsonElement Expected => _expected.RootElement.GetProperty(Change.Name);

    /// <summary>Opens the fixture; the calling test is skipped where it is absent.</summary>
    public static SpectralFixture Open(string matrix) => new(matrix);

    public static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];

    public static int[] Indices(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetInt32())];

    /// <summary>The same change as float64 factors, from a decomposition of the difference.</summary>
    public LowRankFactors Factors()
    {
        using var scope = NewDisposeScope();
        var (u, s, vh) = linalg.svd(Tuned.to(float64) - Base.to(float64), fullMatrices: false);
        var rank = s.gt(s[0] * NegligibleShare).sum(ScalarType.Int64).item<long>();
        return new LowRankFactors(vh.narrow(0, 0, rank).clone(), (u * s).narrow(1, 0, rank).clone(), 1);
    }

    public void Dispose()
    {
        _expected.Dispose();
        Base.Dispose();
        Tuned.Dispose();
    }

    private static Tensor Read(string file, string matrix)
    {
        using var tensors = SafetensorsFile.Open(SharedData.Path("spectral-parity", file));
        return tensors.Read(matrix + ".weight");
    }
}
