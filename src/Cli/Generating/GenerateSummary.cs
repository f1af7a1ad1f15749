using System.Text.Json;

namespace MLNetLoRA.Cli.Generating;

/// <summary>What <c>generate --json</c> writes.</summary>
/// <param name="Ids">The prompt's tokens and the new ones after them.</param>
/// <param name="PromptTokens">How many of them are the prompt's.</param>
/// <param name="NewTokens">How many are new, the one that ended the text included.</param>
/// <param name="Text">The prompt and what goes on from it.</param>
/// <param name="Continuation">What goes on from it alone.</param>
/// <param name="End">Why the text ends: end_token, stop_string, max_new_tokens or context_full.</param>
/// <param name="Seconds">For reading the prompt and making the new tokens.</param>
/// <param name="TokensPerSecond">New tokens in a second of that.</param>
internal sealed record GenerateSummary(
    IReadOnlyList<int> Ids, int PromptTokens, int NewTokens, string Text, string Continuation, string End, double Seconds, double TokensPerSecond)
{
    public static GenerateSummary Of(string prompt, GeneratedText text, double seconds) => new(
        [.. text.PromptIds, .. text.Ids], text.PromptIds.Count, text.Ids.Count, prompt + text.Text, text.Text,
        JsonNamingPolicy.SnakeCaseLower.ConvertName(text.End.ToString()), seconds, text.Ids.Count / seconds);
}
