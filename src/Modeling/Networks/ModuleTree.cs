using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetLoRA.Modeling;

/// <summary>Registers parts under the dotted names of a checkpoint.</summary>
/// <remarks>
/// A checkpoint's levels ("attention.self.query") are finer than the parts that are worth reading apart, so the levels in between are
/// groups that hold names and compute nothing.
/// </remarks>
internal static class ModuleTree
{
    /// <summary>Registers <paramref name="part"/> under a dotted path below <paramref name="root"/>.</summary>
    public static void RegisterAt(this nn.Module root, string path, nn.Module part)
    {
        var (parent, name) = Descend(root, path);
        parent.register_module(name, part);
    }

    /// <summary>Registers <paramref name="parameter"/> under a dotted path below <paramref name="root"/>.</summary>
    public static void RegisterAt(this nn.Module root, string path, Parameter parameter)
    {
        var (parent, name) = Descend(root, path);
        parent.register_parameter(name, parameter);
    }

    private static (nn.Module Parent, string Name) Descend(nn.Module root, string path)
    {
        var names = path.Split('.');
        var parent = root;
        foreach (var name in names[..^1])
        {
            if (parent.named_children().FirstOrDefault(child => child.name == name).module is not { } child)
                parent.register_module(name, child = new Group(name));
            parent = child;
        }
        return (parent, names[^1]);
    }

    private sealed class Group(string name) : nn.Module(name);
}
