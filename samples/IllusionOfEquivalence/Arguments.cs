namespace IllusionOfEquivalence;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public const string Usage = """
        Usage: dotnet run --project samples/IllusionOfEquivalence -c Release -- [--short | --full] [--runs DIR] [--out DIR] [--device cpu|cuda|cuda:N]
          --short    few runs with few rows: a quick check that everything works (the default: about a minute)
          --full     all runs of the study: about two hours on one core
          --runs     a folder that keeps finished runs, so that a study that was cut off goes on
          --out      where the report is written (default: report, beside the program)
          --device   where to train (default: the first CUDA device that can be used, else the CPU)
        """;

    public bool Full { get; private init; }

    public string? Runs { get; private init; }

    public string Out { get; private init; } = Path.Combine(AppContext.BaseDirectory, "report");

    public string? Device { get; private init; }

    public bool Help { get; private init; }

    /// <exception cref="UsageException">Something else was typed than <see cref="Usage"/> allows.</exception>
    public static Arguments Parse(IReadOnlyList<string> words)
    {
        if (words.Contains("--short") && words.Contains("--full")) throw new UsageException("--short and --full are both given; use one of them.");
        var arguments = new Arguments();
        for (var i = 0; i < words.Count; i++)
        {
            arguments = words[i] switch
            {
                "--short" => arguments with { Full = false },
                "--full" => arguments with { Full = true },
                "--runs" => arguments with { Runs = ValueAfter(i++) },
                "--out" => arguments with { Out = ValueAfter(i++) },
                "--device" => arguments with { Device = ValueAfter(i++) },
                "--help" or "-h" or "-?" => arguments with { Help = true },
                var unknown => throw new UsageException($"'{unknown}' is not an option."),
            };
        }
        return arguments;

        string ValueAfter(int i) => i + 1 < words.Count ? words[i + 1] : throw new UsageException($"{words[i]} needs a value.");
    }
}

/// <summary>The command line was not understood; the message says which word.</summary>
internal sealed class UsageException(string message) : Exception(message);
