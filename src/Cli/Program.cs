return MLNetLoRA.Cli.CommandLine.Invoke(args, Console.Out, Console.Error);
