using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Uses a libtorch in small ways whose results are known, and writes down how it went.</summary>
/// <remarks>
/// Runs in a process that exists for nothing else (<see cref="SelfTestProcess"/>). It shows that what fine-tuning is made of works: it
/// cannot show that every function of another version does.
/// </remarks>
internal static class LibTorchSelfTest
{
    /// <summary>The environment variable that makes a process of this program a self-test: the file that receives the verdict.</summary>
    public const string ResultVariable = "MLNETLORA_LIBTORCH_SELFTEST";

    private const double Tolerance = 1e-4;

    /// <summary>The checks, in order; each yields numbers and those it should have yielded.</summary>
    private static readonly (string Name, Func<double[]> Run, double[] Wanted)[] Checks =
    [
        ("matmul", MatrixProduct, [19, 22, 43, 50]),
        ("autograd", Gradient, [6, -12, 3]),
        ("svd", SingularValues, [3 * Math.Sqrt(5), Math.Sqrt(5)]),
        ("attention", Attention, [5]),
        ("cross_entropy", Loss, [Math.Log(4)]),
        ("AdamW", Step, [0.9]),
    ];

    /// <summary>Loads, runs every check, writes the verdict, and ends the process.</summary>
    /// <param name="result">The file that receives the verdict.</param>
    /// <param name="load">Loads libtorch.</param>
    [DoesNotReturn]
    [SuppressMessage("Design", "CA1031", Justification = "Whatever goes wrong in here is the verdict.")]
    public static void RunAndExit(string result, Action load)
    {
        var verdict = SelfTestVerdict.Passed;
        try
        {
            File.WriteAllText(result, SelfTestVerdict.Running + "load");
            load();
            foreach (var (name, run, wanted) in Checks)
            {
                File.WriteAllText(result, SelfTestVerdict.Running + name);
                if (Judge(name, run(), wanted) is not { } fault) continue;
                verdict = SelfTestVerdict.Failed + fault;
                break;
            }
        }
        catch (Exception exception)
        {
            verdict = SelfTestVerdict.Failed + $"{exception.GetBaseException().Message.Split('\n')[0]} ({exception.GetBaseException().GetType().Name})";
        }
        File.WriteAllText(result, verdict);
        Environment.Exit(verdict == SelfTestVerdict.Passed ? 0 : 1);
    }

    /// <summary>What is wrong with a check's numbers, or null.</summary>
    public static string? Judge(string name, double[] found, double[] wanted)
    {
        var isRight = found.Length == wanted.Length && found.Zip(wanted).All(pair => Math.Abs(pair.First - pair.Second) <= Tolerance);
        return isRight ? null : $"{name} gave {Spell(found)}, right is {Spell(wanted)}";
    }

    private static string Spell(double[] numbers) =>
        string.Join(", ", numbers.Select(number => number.ToString("G6", CultureInfo.InvariantCulture)));

    private static double[] MatrixProduct()
    {
        using var scope = NewDisposeScope();
        return Numbers(Make([1, 2, 3, 4], 2, 2).matmul(Make([5, 6, 7, 8], 2, 2)));
    }

    // d/dx of the sum of 3x²
    private static double[] Gradient()
    {
        using var scope = NewDisposeScope();
        var x = Make([1, -2, 0.5f], 3).requires_grad_(true);
        x.pow(2).mul(3).sum().backward();
        return Numbers(x.grad!);
    }

    private static double[] SingularValues()
    {
        using var scope = NewDisposeScope();
        return Numbers(linalg.svd(Make([3, 0, 4, 5], 2, 2), fullMatrices: false).S);
    }

    // Scores √2 ln 3 / √2 and 0 make weights 3/4 and 1/4 of the values 4 and 8.
    private static double[] Attention()
    {
        using var scope = NewDisposeScope();
        var query = Make([1, 0], 1, 1, 1, 2);
        var keys = Make([(float)(Math.Sqrt(2) * Math.Log(3)), 0, 0, 1], 1, 1, 2, 2);
        return Numbers(nn.functional.scaled_dot_product_attention(query, keys, Make([4, 8], 1, 1, 2, 1)));
    }

    private static double[] Loss()
    {
        using var scope = NewDisposeScope();
        return Numbers(nn.functional.cross_entropy(Make([2, 2, 2, 2], 1, 4), tensor((long[])[1], dtype: int64, device: CPU)).unsqueeze(0));
    }

    // The first step of Adam moves a parameter by the learning rate, whatever the gradient's size.
    private static double[] Step()
    {
        using var scope = NewDisposeScope();
        using var parameter = new TorchSharp.Modules.Parameter(Make([1], 1));
        using var optimizer = optim.AdamW([parameter], lr: 0.1, weight_decay: 0);
        parameter.mul(7).sum().backward();
        optimizer.step();
        return Numbers(parameter.detach());
    }

    private static Tensor Make(float[] values, params long[] shape) => tensor(values, shape, dtype: float32, device: CPU);

    private static double[] Numbers(Tensor tensor) => [.. tensor.contiguous().data<float>().ToArray().Select(value => (double)value)];
}
