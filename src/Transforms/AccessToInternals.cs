using System.Runtime.CompilerServices;

// For the LoadableClass attributes; the code that speaks with ML.NET's internals is in the floor below, in its MicrosoftML folder.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]
