using System.Reflection;

namespace MLNetLoRA.Architecture.Tests;

public class PublicSurfaceTests
{
    [Fact]
    public void Fields_OfPublicTypes_NeverChange()
    {
        var mutable = Libraries.PublicTypes
            .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(field => field is { IsInitOnly: false, IsLiteral: false, IsSpecialName: false });

        Assert.Empty(mutable.Select(field => $"{field.DeclaringType!.FullName}.{field.Name}"));
    }

    [Fact]
    public void Namespaces_OfPublicTypes_AreTheUsersOrTheFloorsOwn()
    {
        var elsewhere = Libraries.PublicTypes.Where(type => type.Namespace != "MLNetLoRA" && type.Namespace != type.Assembly.GetName().Name);

        Assert.Empty(elsewhere.Select(type => type.FullName));
    }

    /// <summary>A catalog extends ML.NET's context, so one using has to bring it.</summary>
    [Fact]
    public void Catalogs_OfPublicTypes_AreInTheUsersNamespace()
    {
        var catalogs = Libraries.PublicTypes.Where(type => type.Name.EndsWith("Catalog", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(catalogs);
        Assert.All(catalogs, catalog => Assert.Equal("MLNetLoRA", catalog.Namespace));
    }
}
