using System.Globalization;

namespace QuickStart;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public const string Usage = """
        Usage: dotnet run --project samples/QuickStart -c Release -- [--short] [--device cpu|cuda|cuda:N] [--seed N]
          --short    fewer rows and one epoch: a quick check that everything works (default: about three minutes on two cores)
          --device   where to train (default: the first CUDA device that can be used, else the CPU)
          --seed     a whole number; the same seed gives the same table (default: 1)
        """;

    public bool Short { get; private init; }

    public string? Device { get; private init; }

    public int Seed { get; private init; } = 1;

    public bool Help { get; private init; }

    /// <exception cref="UsageException">Something else was typed than <see cref="Usage"/> allows.</exception>
    public static Arguments Parse(IReadOnlyList<string> words)
    {
        var arguments = new Arguments();
        for (var i = 0; i < words.Count; i++)
        {
            arguments = words[i] switch
            {
                "--short" => arguments with { Short = true },
                "--device" => arguments with { Device = ValueAfter(i++) },
                "--seed" => arguments with { Seed = WholeNumber(ValueAfter(i++)) },
                "--help" or "-h" or "-?" => arguments with { Help = true },
                var unknown => throw new UsageException($"'{unknown}' is not an option."),
            };
        }
        return arguments;

        string ValueAfter(int i) => i + 1 < words.Count ? words[i + 1] : throw new UsageException($"{words[i]} needs a value.");
    }

    private static int WholeNumber(string word) =>
        int.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new UsageException($"--seed is '{word}'; use a whole number.");
}

/// <summary>The command line was not understood; the message says which word.</summary>
internal sealed class UsageException(string message) : Exception(message);
