using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace MLNetLoRA.Architecture.Tests;

/// <summary>The assemblies users reference: every floor but the command line.</summary>
internal static class Libraries
{
    public static IReadOnlyList<Assembly> All { get; } =
        [.. Repository.FloorProjects.Keys.Where(name => name != "Cli").Order(StringComparer.Ordinal).Select(name => Assembly.Load($"MLNetLoRA.{name}"))];

    public static IEnumerable<Type> PublicTypes => All.SelectMany(assembly => assembly.GetExportedTypes());

    public static IEnumerable<Type> OptionTypes =>
        PublicTypes.Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal));

    /// <summary>The settings themselves; properties without a setter are computed from them.</summary>
    public static IEnumerable<PropertyInfo> Settings(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(property => property.CanWrite);

    public static bool IsRecord(Type type) => type.GetMethod("<Clone>$") is not null;

    public static bool IsInitOnly(PropertyInfo property) =>
        property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    /// <summary>Documentation of a member, by its identifier such as "P:Namespace.Type.Property".</summary>
    public static XElement? Documentation(Assembly assembly, string identifier) =>
        XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member")
            .SingleOrDefault(member => member.Attribute("name")!.Value == identifier);
}
