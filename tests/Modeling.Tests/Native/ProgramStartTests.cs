namespace MLNetLoRA.Modeling.Tests.Native;

public class ProgramStartTests
{
    private static readonly HostFacts Program = new("/usr/bin/dotnet", "App", "/app/App.dll", "/app/App.deps.json", true, _ => true);

    [Fact]
    public void Find_DotnetCommand_NamesSettingsAndDependencies() => Check(
        "/usr/bin/dotnet", "exec --depsfile /app/App.deps.json --runtimeconfig /app/App.runtimeconfig.json /app/App.dll", Program);

    [Fact]
    public void Find_TestHost_TakesTheDependenciesOfTheTests() => Check(
        "/usr/bin/dotnet", "exec --depsfile /app/App.deps.json --runtimeconfig /app/App.runtimeconfig.json /nuget/testhost.dll",
        Program with { EntryName = "testhost", EntryLocation = "/nuget/testhost.dll" });

    [Fact]
    public void Find_NoSettingsBesideTheDependencies_LeavesThemToTheHost() =>
        Check("/usr/bin/dotnet", "exec --depsfile /app/App.deps.json /app/App.dll", Program with { FileExists = _ => false });

    [Theory]
    [InlineData("/app/App")]
    [InlineData("/app/App.exe")]
    public void Find_OwnExecutable_IsRunAsItIs(string process) => Check(process, "", Program with { ProcessPath = process });

    [Fact]
    public void Find_SingleFileUnderAnotherName_IsRunAsItIs() =>
        Check("/opt/renamed", "", Program with { ProcessPath = "/opt/renamed", EntryLocation = "" });

    [Theory]
    [InlineData("/iis/w3wp.exe", "App", true, "hosts App in a way in which it cannot be started a second time")]
    [InlineData("/app/App", "App", false, "without startup hooks")]
    [InlineData("/office/winword", null, true, "not started as a .NET program")]
    public void Find_CannotBeStartedAgain_SaysWhy(string process, string? entry, bool hooks, string reason)
    {
        Assert.Null(ProgramStart.Find(Program with { ProcessPath = process, EntryName = entry, RunsStartupHooks = hooks }, out var obstacle));
        Assert.Contains(reason, obstacle);
    }

    private static void Check(string fileName, string arguments, HostFacts host)
    {
        var start = ProgramStart.Find(host, out _)!;
        Assert.Equal((fileName, arguments), (start.FileName, string.Join(' ', start.Arguments)));
    }
}
