// Writes PublicAPI.Unshipped.txt of each library anew from what its sources declare.
//
//   dotnet run eng/update-public-api.cs
//
// Run it in the repository's root after a change to a public member and read the difference before committing: it is what
// users will notice. The lists start empty, so the compiler reports every public member that PublicAPI.Shipped.txt lacks
// (RS0016, with its line for the list) and every shipped one that is gone (RS0017).
#:property PublishAot=false

using System.Diagnostics;
using System.Text.Json;

const string Header = "#nullable enable";
const string Log = "obj/public-api.sarif";                      // relative to each project
const string Removed = "*REMOVED*";

var lists = Directory.GetFiles("src", "PublicAPI.Unshipped.txt", SearchOption.AllDirectories);
if (lists.Length == 0)
{
    Console.Error.WriteLine("No src/*/PublicAPI.Unshipped.txt here; run this in the repository's root.");
    return 2;
}

var before = lists.ToDictionary(list => list, File.ReadAllText);
foreach (var list in lists) File.WriteAllText(list, Header + "\n");
foreach (var list in lists)
{
    var folder = Path.GetDirectoryName(list)!;
    if (Build(folder) != 0)
    {
        foreach (var (path, text) in before) File.WriteAllText(path, text);
        Console.Error.WriteLine($"{folder} does not build; the lists are as they were.");
        return 1;
    }
}
foreach (var list in lists)
{
    var lines = Declarations(Path.Combine(Path.GetDirectoryName(list)!, Log)).Distinct().Order(StringComparer.Ordinal).ToArray();
    File.WriteAllLines(list, [Header, .. lines]);
    Console.WriteLine($"{list}: {lines.Length} members");
}
return 0;

// Incomplete lists are warnings here and errors everywhere else.
static int Build(string folder)
{
    using var build = Process.Start(new ProcessStartInfo("dotnet",
    [
        "build", folder, "--no-incremental", "--nologo", "-c", "Release", "-v", "q", "-clp:ErrorsOnly",
        "-p:TreatWarningsAsErrors=false", $"-p:ErrorLog={Log}%2Cversion=2.1",
    ]) { RedirectStandardOutput = true })!;
    var output = build.StandardOutput.ReadToEnd();
    build.WaitForExit();
    if (build.ExitCode != 0) Console.Error.Write(output);
    return build.ExitCode;
}

static IEnumerable<string> Declarations(string log)
{
    using var sarif = JsonDocument.Parse(File.ReadAllText(log));
    foreach (var finding in sarif.RootElement.GetProperty("runs")[0].GetProperty("results").EnumerateArray())
    {
        var prefix = finding.GetProperty("ruleId").GetString() switch { "RS0016" => "", "RS0017" => Removed, _ => null };
        if (prefix is not null)
            yield return prefix + finding.GetProperty("properties").GetProperty("customProperties").GetProperty("APIName").GetString();
    }
}
