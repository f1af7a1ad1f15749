using System.CommandLine;
using System.Globalization;
using System.Numerics;
using MLNetLoRA.Cli.Input;
using MLNetLoRA.Trainers;
using static TorchSharp.torch;

namespace MLNetLoRA.Cli.Verbs;

/// <summary>How options are made, and the ones that several verbs take.</summary>
internal static class VerbOptions
{
    public static Option<string?> Json() => Path("--json", "Write the numbers of this run to this file, as one JSON object.");

    public static Option<string> Device() => new("--device")
    {
        Description = "Where to compute: auto (the first usable GPU, else the CPU), cpu, cuda or cuda:N.",
        HelpName = "auto|cpu|cuda[:N]",
        DefaultValueFactory = _ => "auto",
    };

    public static Option<int?> Seed() => Number<int>(
        "--seed", "Seed of everything random: the same seed, data and device give the same model (default 1).");

    public static Option<char?> Delimiter() => new("--delimiter")
    {
        Description = "What separates columns: tab (no quoting), comma, semicolon or any character (quoting as in CSV); "
            + "by the file's extension when not given.",
        HelpName = "C",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            if (DelimiterName.Parse(typed) is { } delimiter) return delimiter;
            result.AddError($"--delimiter is '{typed}'; use tab, comma, semicolon or one character.");
            return null;
        },
    };

    /// <summary>An option whose value is the name of a file, a folder or a column: anything but blank.</summary>
    public static Option<string?> Path(string name, string description, string valueName = "PATH") =>
        Named<string?>(name, description, valueName);

    /// <summary>As <see cref="Path"/>, and must be given.</summary>
    public static Option<string> Required(string name, string description, string valueName = "PATH")
    {
        var option = Named<string>(name, description, valueName);
        option.Required = true;
        return option;
    }

    /// <summary>A number, from <paramref name="least"/> where that is given; null leaves the choice to the library.</summary>
    public static Option<T?> Number<T>(string name, string description, T? least = null) where T : struct, INumber<T> => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            if (!T.TryParse(typed, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
                result.AddError($"{name} is '{typed}'; {(typeof(T) != typeof(double) ? "a whole number" : "a number")} was wanted.");
            else if (number < least)
                result.AddError($"{name} is {typed}; use {least} or more.");
            return number;
        },
    };

    /// <summary>An option without a value: given or not.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>Numbers separated by commas; null leaves the choice to the library.</summary>
    public static Option<IReadOnlyList<T>?> Numbers<T>(string name, string description) where T : struct, INumber<T> => new(name)
    {
        Description = description,
        HelpName = "N[,…]",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            var numbers = new List<T>();
            foreach (var part in typed.Split(',', StringSplitOptions.TrimEntries))
            {
                if (T.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)) numbers.Add(number);
                else result.AddError($"{name} is '{typed}'; {(typeof(T) == typeof(int) ? "whole numbers" : "numbers")} separated by commas were wanted.");
            }
            return numbers;
        },
    };

    /// <summary>One of a few words.</summary>
    public static Option<string?> Choice(string name, string description, params string[] words)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', words) };
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
                if (!words.Contains(token.Value)) result.AddError($"{name} is '{token.Value}'; use {string.Join(", ", words[..^1])} or {words[^1]}.");
        });
        return option;
    }

    /// <summary>Whether the option was typed, rather than standing at its default.</summary>
    public static bool IsGiven(this ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The name as the libraries' options take it: null lets them choose and say why.</summary>
    public static string? DeviceOption(string name) => name == "auto" ? null : name;

    /// <summary>The device that a name stands for.</summary>
    /// <exception cref="BadInputException">The name is not one, or the machine has no such device.</exception>
    public static Device ChooseDevice(string name)
    {
        try
        {
            return ComputeDevice.Choose(DeviceOption(name), gpuDeviceId: null, fallBackToCpu: false, log: _ => { });
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw new BadInputException(OptionNames.AsTyped(e.Message), e);
        }
    }

    private static Option<T> Named<T>(string name, string description, string valueName)
    {
        var option = new Option<T>(name) { Description = description, HelpName = valueName };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => string.IsNullOrWhiteSpace(token.Value))) result.AddError($"{name} is empty; give it a value.");
        });
        return option;
    }
}
