using System.Text;
using System.Text.Json.Nodes;

namespace MLNetLoRA.Modeling.Tests.Checkpoints;

public class DecoderConfigTests
{
    [Fact]
    public void Parse_RequiredKeysOnly_UsesTheFamilysDefaults()
    {
        var llama = Parse(Minimal());
        var mistral = Parse(Minimal(json => json["model_type"] = "mistral"));
        var qwen = Parse(Minimal(json => (json["model_type"], json["num_attention_heads"]) = ("qwen2", 32)));

        Assert.Equal((DecoderFamily.Llama, 16, 8, 256), (llama.Family, llama.KeyValueHeadCount, llama.HeadSize, llama.MaxPositions));
        Assert.Equal((1e-6, 10_000.0, 0.0, 0.02, false), (llama.NormEpsilon, llama.RotaryBase, llama.AttentionDropout, llama.InitializerRange, llama.TieWordEmbeddings));
        Assert.Equal((null, null, null), (llama.RotaryScaling, llama.SlidingWindow, llama.BeginTokenId));
        Assert.Empty(llama.EndTokenIds);
        Assert.Equal((8, 4096, false), (mistral.KeyValueHeadCount, mistral.SlidingWindow, mistral.HasInputBiases));
        Assert.Equal((32, null, true, false), (qwen.KeyValueHeadCount, qwen.SlidingWindow, qwen.HasInputBiases, qwen.HasAttentionBiases));
        Assert.Equal(("LlamaForCausalLM", "mistral"), (llama.Architecture, mistral.ModelType));
    }

    [Fact]
    public void Parse_EverySetting_IsReadAndWrittenBack()
    {
        var llama = Parse(Minimal(json =>
        {
            (json["num_key_value_heads"], json["head_dim"], json["rms_norm_eps"], json["rope_theta"]) = (4, 24, 1e-5, 500_000);
            (json["attention_bias"], json["mlp_bias"], json["attention_dropout"], json["tie_word_embeddings"]) = (true, true, 0.1, true);
            (json["bos_token_id"], json["eos_token_id"], json["pad_token_id"]) = (1, new JsonArray(2, 3), -1);
            json["rope_scaling"] = Llama3();
        }));

        Assert.Equal((4, 24, 1e-5, 500_000.0), (llama.KeyValueHeadCount, llama.HeadSize, llama.NormEpsilon, llama.RotaryBase));
        Assert.Equal((true, true, 0.1, true), (llama.HasAttentionBiases, llama.HasFeedForwardBiases, llama.AttentionDropout, llama.TieWordEmbeddings));
        Assert.Equal((1, null), (llama.BeginTokenId, llama.PadTokenId));
        Assert.Equal([2, 3], llama.EndTokenIds);
        Assert.Equal(new RotaryScaling(8, 1, 4, 8192), llama.RotaryScaling);
        var again = DecoderConfig.Parse(Encoding.UTF8.GetBytes(llama.ToJson()), "again");
        Assert.Equal(llama.EndTokenIds, again.EndTokenIds);
        Assert.Equal(llama with { EndTokenIds = [] }, again with { EndTokenIds = [] });
    }

    [Fact]
    public void Parse_RotaryParameters_AreReadAsTheyAreSavedToday()
    {
        var scaled = Llama3();
        scaled["rope_theta"] = 123_456;
        var config = Parse(Minimal(json => json["rope_parameters"] = scaled));
        var plain = Parse(Minimal(json => json["rope_parameters"] = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = 77.0 }));
        var old = Parse(Minimal(json => json["rope_scaling"] = new JsonObject { ["type"] = "default" }));

        Assert.Equal((123_456.0, new RotaryScaling(8, 1, 4, 8192)), (config.RotaryBase, config.RotaryScaling));
        Assert.Equal((77.0, null, 10_000.0), (plain.RotaryBase, plain.RotaryScaling, old.RotaryBase));
    }

    [Fact]
    public void Parse_SlidingWindow_NullIsNoneAndSilenceIsTheDefault()
    {
        Assert.Null(Parse(Minimal(json => (json["model_type"], json["sliding_window"]) = ("mistral", null))).SlidingWindow);
        Assert.Equal(7, Parse(Minimal(json => (json["model_type"], json["sliding_window"]) = ("mistral", 7))).SlidingWindow);
        Assert.Null(Parse(Minimal(json => (json["model_type"], json["num_key_value_heads"], json["sliding_window"]) = ("qwen2", 2, 32_768))).SlidingWindow);
    }

    [Theory]
    [InlineData("""{"rope_scaling": {"rope_type": "yarn", "factor": 4}}""", "rope_scaling.rope_type is 'yarn'; supported are default, llama3.")]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": 2}}""", "rope_scaling.type is 'linear'; supported are default, llama3.")]
    [InlineData("""{"rope_scaling": {"factor": 2}}""", "rope_scaling.rope_type is missing; supported are default, llama3.")]
    [InlineData("""{"rope_scaling": {"rope_type": "llama3", "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}}""", "rope_scaling.factor is missing.")]
    [InlineData("""{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 32}}""", "rope_scaling.low_freq_factor is 4, high_freq_factor 4")]
    [InlineData("""{"rope_scaling": "linear"}""", "rope_scaling is a string; an object was wanted.")]
    [InlineData("""{"num_key_value_heads": 5}""", "num_key_value_heads is 5 and does not divide num_attention_heads 16")]
    [InlineData("""{"num_key_value_heads": 0}""", "num_key_value_heads is 0; use 1 to 1,000,000.")]
    [InlineData("""{"hidden_size": 130}""", "hidden_size is 130, not a multiple of num_attention_heads 16, and there is no head_dim.")]
    [InlineData("""{"head_dim": 7}""", "a head is 7 wide; use an even number")]
    [InlineData("""{"head_dim": 100000}""", "a head is 100000 wide")]
    [InlineData("""{"hidden_act": "gelu"}""", "hidden_act is 'gelu'; supported are silu.")]
    [InlineData("""{"eos_token_id": 512}""", "eos_token_id is 512; use a row of the token embedding (vocab_size is 512).")]
    [InlineData("""{"eos_token_id": ["2"]}""", "eos_token_id is a string; a whole number, or an array of them, was wanted.")]
    [InlineData("""{"rms_norm_eps": 0}""", "rms_norm_eps is 0;")]
    [InlineData("""{"rope_theta": 1}""", "rope_theta is 1;")]
    [InlineData("""{"vocab_size": 0}""", "vocab_size is 0; use 1 to 10,000,000.")]
    [InlineData("""{"quantization_config": {"bits": 4}}""", "quantized weights are not supported")]
    [InlineData("""{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5; only whole heads are turned here.")]
    [InlineData("""{"layer_types": ["full_attention", "sliding_attention"]}""", "layer_types has 'sliding_attention'")]
    [InlineData("""{"model_type": "qwen2", "num_key_value_heads": 2, "use_sliding_window": true}""", "use_sliding_window is true; only false is supported for qwen2")]
    [InlineData("""{"model_type": "mistral", "sliding_window": 0}""", "sliding_window is 0; use 1 to 10,000,000.")]
    [InlineData("""{"model_type": "gemma"}""", "model_type is 'gemma'; supported are llama, mistral, qwen2.")]
    public void Parse_WhatIsNotBuilt_IsRefusedByName(string changes, string reason)
    {
        var error = Assert.Throws<InvalidDataException>(() => Parse(Minimal(json =>
        {
            foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject()) json[key] = value?.DeepClone();
        })));
        Assert.StartsWith("test: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_SeveralFaults_AreReportedTogetherOnceEach()
    {
        var error = Assert.Throws<InvalidDataException>(() => Parse(Minimal(json =>
        {
            json.Remove("vocab_size");
            (json["num_hidden_layers"], json["intermediate_size"]) = ("two", 0);
        })));
        Assert.Equal("test: vocab_size is missing. num_hidden_layers is a string; a whole number was wanted. intermediate_size is 0; use 1 to 1,000,000.", error.Message);
    }

    [Fact]
    public void Validate_SettingsOfAnotherFamily_AreRefused()
    {
        var llama = Parse(Minimal());
        llama.Validate();
        Assert.Contains("only mistral may differ", Assert.Throws<ArgumentException>(() => (llama with { SlidingWindow = 5 }).Validate()).Message, StringComparison.Ordinal);
        Assert.Contains("only llama may differ",
            Assert.Throws<ArgumentException>(() => (llama with { Family = DecoderFamily.Mistral, HasAttentionBiases = true }).Validate()).Message, StringComparison.Ordinal);
    }

    private static DecoderConfig Parse(JsonObject json) => DecoderConfig.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "test");

    private static JsonObject Llama3() => new()
    {
        ["rope_type"] = "llama3", ["factor"] = 8.0, ["low_freq_factor"] = 1.0, ["high_freq_factor"] = 4.0, ["original_max_position_embeddings"] = 8192,
    };

    private static JsonObject Minimal(Action<JsonObject>? change = null)
    {
        var json = new JsonObject
        {
            ["model_type"] = "llama", ["vocab_size"] = 512, ["hidden_size"] = 128, ["num_hidden_layers"] = 2, ["num_attention_heads"] = 16,
            ["intermediate_size"] = 96, ["max_position_embeddings"] = 256,
        };
        change?.Invoke(json);
        return json;
    }
}
