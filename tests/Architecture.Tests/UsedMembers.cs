using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Emit;

namespace MLNetLoRA.Architecture.Tests;

/// <summary>What a compiled type uses: members its methods name, and the types of its declarations.</summary>
internal static class UsedMembers
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value);

    /// <summary>Members and types; a generic one as its definition.</summary>
    public static IEnumerable<MemberInfo> Of(Type type)
    {
        var methods = type.GetMethods(Declared).Cast<MethodBase>().Concat(type.GetConstructors(Declared)).ToList();
        var declared = new[] { type.BaseType }
            .Concat(type.GetInterfaces())
            .Concat(type.GetFields(Declared).Select(field => field.FieldType))
            .Concat(methods.SelectMany(method => method.GetParameters()).Select(parameter => parameter.ParameterType))
            .Concat(methods.OfType<MethodInfo>().Select(method => method.ReturnType))
            .OfType<Type>();
        return declared.Concat(methods.SelectMany(NamedInBody)).Select(Definition).Distinct();
    }

    /// <summary>Whether code of another assembly could not use it.</summary>
    public static bool IsHidden(MemberInfo member) => member switch
    {
        Type type => !type.IsVisible,
        MethodBase method => method.IsPrivate || method.IsAssembly || method.IsFamilyAndAssembly || !method.DeclaringType!.IsVisible,
        FieldInfo field => field.IsPrivate || field.IsAssembly || field.IsFamilyAndAssembly || !field.DeclaringType!.IsVisible,
        _ => false,
    };

    /// <summary>The operands of a method body; ECMA-335, partition III, 1.9 says what follows each operation code.</summary>
    private static IEnumerable<MemberInfo> NamedInBody(MethodBase method)
    {
        var il = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        for (var at = 0; at < il.Length;)
        {
            // Two-byte codes begin with FE.
            var code = OpCodesByValue[il[at] == 0xFE ? BinaryPrimitives.ReadInt16BigEndian(il.AsSpan(at)) : il[at]];
            at += code.Size;
            if (code.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
                yield return Resolve(method, BinaryPrimitives.ReadInt32LittleEndian(il.AsSpan(at)));
            at += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BinaryPrimitives.ReadInt32LittleEndian(il.AsSpan(at))),
                _ => 4,
            };
        }
    }

    private static MemberInfo Resolve(MethodBase method, int token) =>
        method.Module.ResolveMember(
            token,
            method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : null,
            method.IsGenericMethod ? method.GetGenericArguments() : null)!;

    // Arguments of a generic type may be ours and internal, which says nothing about the type.
    private static MemberInfo Definition(MemberInfo member) => member switch
    {
        Type { HasElementType: true } type => Definition(type.GetElementType()!),
        Type { IsGenericParameter: true } => member,
        Type { IsGenericType: true } type => type.GetGenericTypeDefinition(),
        MethodBase or FieldInfo when member.DeclaringType is { IsGenericType: true } => member.Module.ResolveMember(member.MetadataToken)!,
        MethodInfo { IsGenericMethod: true } method => method.GetGenericMethodDefinition(),
        _ => member,
    };
}
