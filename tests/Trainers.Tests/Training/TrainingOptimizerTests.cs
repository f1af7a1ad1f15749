using static TorchSharp.torch;

namespace MLNetLoRA.Trainers.Tests.Training;

public class TrainingOptimizerTests
{
    private static readonly TrainingPlan Plan = new(
        MaxEpochs: 1, BatchSize: 1, AccumulationSteps: 1, LearningRate: 0.1, LearningRateSchedule.Constant, WarmupRatio: 0, WeightDecay: 0.3,
        MaxGradientNorm: null, Patience: 1)
    {
        SecondMomentDecay = 0.98,
    };

    [Fact]
    public void ReadState_AfterSteps_HoldsTheMomentsOfThePaper()
    {
        double[] gradients = [3, -1, 0.5];
        using var task = new ScriptedTask(gradients);
        using var optimizer = new TrainingOptimizer(task.Network, Plan);

        double mean = 0, square = 0, matrix = 1, vector = 1;
        foreach (var (n, gradient) in gradients.Index())
        {
            Step(task, optimizer, n);
            // arXiv 1711.05101, algorithm 2, in float64; decay on the matrix only.
            (mean, square) = (0.9 * mean + 0.1 * gradient, 0.98 * square + 0.02 * gradient * gradient);
            var move = 0.1 * (mean / (1 - Math.Pow(0.9, n + 1))) / (Math.Sqrt(square / (1 - Math.Pow(0.98, n + 1))) + 1e-8);
            (matrix, vector) = (matrix * (1 - 0.1 * 0.3) - move, vector - move);
        }

        using var scope = NewDisposeScope();
        var state = optimizer.ReadState().ToDictionary();
        Assert.Equal(["matrix.exp_avg", "matrix.exp_avg_sq", "matrix.step", "vector.exp_avg", "vector.exp_avg_sq", "vector.step"], state.Keys.Order());
        foreach (var name in new[] { "matrix", "vector" })
        {
            Assert.Equal(mean, state[$"{name}.exp_avg"].item<float>(), 1e-6);
            Assert.Equal(square, state[$"{name}.exp_avg_sq"].item<float>(), 1e-6);
            Assert.Equal(3, state[$"{name}.step"].item<long>());
        }
        Assert.Equal(matrix, task.Matrix, 1e-6);
        Assert.Equal(vector, task.Vector, 1e-6);
    }

    [Fact]
    public void Restore_IntoAnotherOptimizer_TakesTheSameNextStepToTheBit()
    {
        double[] gradients = [3, -1, 0.5, 2];
        using var whole = new ScriptedTask(gradients);
        using var continued = new ScriptedTask(gradients);
        using var first = new TrainingOptimizer(whole.Network, Plan);
        using var second = new TrainingOptimizer(continued.Network, Plan);
        for (var n = 0; n < 3; n++) Step(whole, first, n);

        using (NewDisposeScope())
        {
            second.Restore(first.ReadState().ToDictionary());
            using var _ = no_grad();
            foreach (var (to, from) in continued.Network.parameters().Zip(whole.Network.parameters())) to.copy_(from);
        }
        Step(whole, first, 3);
        Step(continued, second, 3);

        Assert.Equal(whole.Matrix, continued.Matrix);
        Assert.Equal(whole.Vector, continued.Vector);
    }

    private static void Step(ScriptedTask task, TrainingOptimizer optimizer, int row)
    {
        using var scope = NewDisposeScope();
        task.SummedLoss([row]).backward();
        optimizer.Step(0.1);
    }
}
