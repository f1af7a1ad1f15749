using System.CommandLine;
using System.Globalization;
using MLNetLoRA.Bench.Balancing;
using MLNetLoRA.Bench.Intruders;
using MLNetLoRA.Bench.Pretrained;

// Numbers are read and written the same way on every machine.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

return new RootCommand("Measurements of MLNetLoRA; each table in bench/results says which command made it.")
{
    PretrainedCommand.Create(),
    HeldOutCommand.Create(),
    SpectralCommand.Create(),
    BalanceCommand.Create(),
}.Parse(args).Invoke();
