using Microsoft.ML;

namespace MLNetLoRA.Trainers;

/// <summary>The header of a saved component: what it is, which version wrote it, and who can read it.</summary>
/// <param name="Signature">Eight ASCII letters at the head of the component's stream.</param>
/// <param name="LoaderSignature">The name under which its LoadableClass attribute registers the loader; never changed once released.</param>
/// <param name="Version">Written into the file.</param>
/// <param name="OldestReader">The oldest version of this code that can read what it writes now.</param>
/// <param name="OldestReadable">The oldest file this code can read.</param>
/// <remarks>Versions are 0x MMMM mmmm, counted from 0x00010001; ML.NET refuses newer and too old files with a message of its own.</remarks>
internal sealed record ModelFormat(string Signature, string LoaderSignature, uint Version, uint OldestReader, uint OldestReadable)
{
    /// <summary>Starts a component's stream; the first call in <see cref="ICanSaveModel.Save"/>.</summary>
    /// <typeparam name="TLoaded">The component: its assembly is named in the file, so that loading needs no registration.</typeparam>
    public void Write<TLoaded>(ModelSaveContext ctx)
    {
        ctx.CheckAtModel();
        ctx.SetVersionInfo(VersionInfo<TLoaded>());
    }

    /// <summary>Checks a component's stream; the first call in its loader.</summary>
    /// <exception cref="FormatException">Another component's stream, or a version this code cannot read.</exception>
    public void Check<TLoaded>(ModelLoadContext ctx) => ctx.CheckAtModel(VersionInfo<TLoaded>());

    private VersionInfo VersionInfo<TLoaded>() => new(
        modelSignature: Signature,
        verWrittenCur: Version,
        verReadableCur: OldestReader,
        verWeCanReadBack: OldestReadable,
        loaderAssemblyName: typeof(TLoaded).Assembly.GetName().Name!,
        loaderSignature: LoaderSignature);
}
