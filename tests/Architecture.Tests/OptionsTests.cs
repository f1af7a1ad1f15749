namespace MLNetLoRA.Architecture.Tests;

public class OptionsTests
{
    public static TheoryData<Type> OptionTypes => [.. Libraries.OptionTypes];

    [Theory]
    [MemberData(nameof(OptionTypes))]
    public void Options_EveryType_IsARecordThatNobodyCanChange(Type options)
    {
        Assert.True(Libraries.IsRecord(options), $"{options.Name} is no record.");
        Assert.True(options.IsSealed, $"{options.Name} is not sealed.");
        Assert.Empty(Libraries.Settings(options).Where(setting => !Libraries.IsInitOnly(setting)).Select(setting => setting.Name));
    }

    [Theory]
    [MemberData(nameof(OptionTypes))]
    public void Options_EverySetting_DocumentsItsDefault(Type options)
    {
        var silent = Libraries.Settings(options).Where(setting =>
            Libraries.Documentation(options.Assembly, $"P:{options.FullName}.{setting.Name}")?.Element("value")?.Value
                .Contains("default", StringComparison.OrdinalIgnoreCase) is not true);

        Assert.Empty(silent.Select(setting => setting.Name));
    }

    [Theory]
    [MemberData(nameof(OptionTypes))]
    public void Options_WithoutSettings_CanBeCreated(Type options) => Assert.NotNull(Activator.CreateInstance(options));

    [Fact]
    public void OptionTypes_OfTheTrainers_AreFound() =>
        Assert.Superset(new HashSet<Type> { typeof(LoraOptions), typeof(TextClassificationOptions) }, Libraries.OptionTypes.ToHashSet());
}
