"""Makes three tiny random decoders and what they compute, in float64, by formulas written out number by number.

Python 3.11, nothing but its own library; run here: python3 make.py
The formulas are those of the papers (RMSNorm arXiv 1910.07467, rotary embeddings 2104.09864, grouped queries 2305.13245, SwiGLU 2002.05202),
with Hugging Face's layout of weights and its llama3 scaling. Nothing here was derived from this project's network.
"""
import json
import math
import pathlib
import random
import struct

HERE = pathlib.Path(__file__).parent
SIZES = dict(vocab_size=24, hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=4,
             max_position_embeddings=64, hidden_act="silu", bos_token_id=1, eos_token_id=2, torch_dtype="float32")
MODELS = {
    "llama": dict(SIZES, model_type="llama", rms_norm_eps=1e-5, rope_theta=1000.0, tie_word_embeddings=False, attention_bias=True, mlp_bias=True,
                  rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=3.0, original_max_position_embeddings=12)),
    "mistral": dict(SIZES, model_type="mistral", rms_norm_eps=1e-6, rope_theta=50.0, tie_word_embeddings=False, sliding_window=3),
    "qwen2": dict(SIZES, model_type="qwen2", rms_norm_eps=1e-6, rope_theta=200.0, tie_word_embeddings=True, use_sliding_window=False),
}
LENGTHS = [11, 16, 5]


def single(value):
    """The nearest float32: weights are stored so, and the reference computes with what is stored."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def draw(rng, config):
    d, v, f = config["hidden_size"], config["vocab_size"], config["intermediate_size"]
    q, k = config["num_attention_heads"] * config["head_dim"], config["num_key_value_heads"] * config["head_dim"]
    shapes = {"model.embed_tokens.weight": (v, d), "model.norm.weight": (d,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (v, d)
    for n in range(config["num_hidden_layers"]):
        layer = f"model.layers.{n}."
        for name, rows, columns in [("self_attn.q_proj", q, d), ("self_attn.k_proj", k, d), ("self_attn.v_proj", k, d), ("self_attn.o_proj", d, q),
                                    ("mlp.gate_proj", f, d), ("mlp.up_proj", f, d), ("mlp.down_proj", d, f)]:
            shapes[f"{layer}{name}.weight"] = (rows, columns)
            is_input = name[10:] in ("q_proj", "k_proj", "v_proj")
            if (config["model_type"] == "qwen2" and is_input) or config.get("attention_bias" if "attn" in name else "mlp_bias"):
                shapes[f"{layer}{name}.bias"] = (rows,)
        shapes[f"{layer}input_layernorm.weight"] = shapes[f"{layer}post_attention_layernorm.weight"] = (d,)
    weights = {}
    for key, shape in shapes.items():
        center = 1.0 if "norm" in key else 0.0
        weights[key] = (shape, [single(rng.gauss(center, 0.3)) for _ in range(math.prod(shape))])
    return weights


class Reference:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights
        head = config["head_dim"]
        self.frequencies = [self.stretch(config["rope_theta"] ** (-2.0 * i / head)) for i in range(head // 2)]

    def stretch(self, frequency):
        scaling = self.config.get("rope_scaling")
        if not scaling:
            return frequency
        wave = 2 * math.pi / frequency
        original, low, high = (scaling[key] for key in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
        if wave < original / high:
            return frequency
        if wave > original / low:
            return frequency / scaling["factor"]
        smooth = (original / wave - low) / (high - low)
        return (1 - smooth) * frequency / scaling["factor"] + smooth * frequency

    def linear(self, key, x):
        (rows, columns), w = self.weights[key + ".weight"]
        bias = self.weights.get(key + ".bias")
        return [sum(w[r * columns + c] * x[c] for c in range(columns)) + (bias[1][r] if bias else 0.0) for r in range(rows)]

    def norm(self, key, x):
        size = math.sqrt(sum(a * a for a in x) / len(x) + self.config["rms_norm_eps"])
        return [a / size * w for a, w in zip(x, self.weights[key + ".weight"][1])]

    def turn(self, x, position):
        head, half = self.config["head_dim"], self.config["head_dim"] // 2
        turned = list(x)
        for start in range(0, len(x), head):
            for i, frequency in enumerate(self.frequencies):
                a, b, angle = x[start + i], x[start + half + i], position * frequency
                turned[start + i] = a * math.cos(angle) - b * math.sin(angle)
                turned[start + half + i] = b * math.cos(angle) + a * math.sin(angle)
        return turned

    def attend(self, layer, rows):
        config = self.config
        head, sharing = config["head_dim"], config["num_attention_heads"] // config["num_key_value_heads"]
        window = config.get("sliding_window") or len(rows)
        queries = [self.turn(self.linear(layer + "self_attn.q_proj", x), p) for p, x in enumerate(rows)]
        keys = [self.turn(self.linear(layer + "self_attn.k_proj", x), p) for p, x in enumerate(rows)]
        values = [self.linear(layer + "self_attn.v_proj", x) for x in rows]
        result = []
        for p, query in enumerate(queries):
            mixed = []
            for h in range(config["num_attention_heads"]):
                mine, shared = slice(h * head, (h + 1) * head), slice(h // sharing * head, (h // sharing + 1) * head)
                seen = range(max(0, p - window + 1), p + 1)
                scores = [sum(a * b for a, b in zip(query[mine], keys[s][shared])) / math.sqrt(head) for s in seen]
                largest = max(scores)
                powers = [math.exp(score - largest) for score in scores]
                mixed += [sum(w * values[s][shared][i] for w, s in zip(powers, seen)) / sum(powers) for i in range(head)]
            result.append(self.linear(layer + "self_attn.o_proj", mixed))
        return result

    def run(self, ids):
        d = self.config["hidden_size"]
        embedding = self.weights["model.embed_tokens.weight"][1]
        rows = [embedding[i * d:(i + 1) * d] for i in ids]
        for n in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{n}."
            attention = self.attend(layer, [self.norm(layer + "input_layernorm", x) for x in rows])
            rows = [[a + b for a, b in zip(x, y)] for x, y in zip(rows, attention)]
            for p, x in enumerate(rows):
                z = self.norm(layer + "post_attention_layernorm", x)
                gate, up = self.linear(layer + "mlp.gate_proj", z), self.linear(layer + "mlp.up_proj", z)
                rows[p] = [a + b for a, b in zip(x, self.linear(layer + "mlp.down_proj", [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)]))]
        hidden = [self.norm("model.norm", x) for x in rows]
        head = "model.embed_tokens" if self.config["tie_word_embeddings"] else "lm_head"
        return [self.linear(head, x) for x in hidden], hidden


def save(path, tensors):
    header, data = {}, b""
    for key, (shape, values) in tensors.items():
        header[key] = dict(dtype="F32", shape=list(shape), data_offsets=[len(data), len(data) + 4 * len(values)])
        data += struct.pack(f"<{len(values)}f", *values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    for number, (name, config) in enumerate(MODELS.items()):
        rng = random.Random(number)
        weights = draw(rng, config)
        reference = Reference(config, weights)
        width, v, d = max(LENGTHS), config["vocab_size"], config["hidden_size"]
        ids = [[rng.randrange(3, v) for _ in range(length)] for length in LENGTHS]
        logits, hidden, losses = [], [], []
        for row in ids:
            scores, states = reference.run(row)
            for p in range(len(row) - 1):
                largest = max(scores[p])
                losses.append(math.log(sum(math.exp(s - largest) for s in scores[p])) + largest - scores[p][row[p + 1]])
            for p in range(width):
                logits += scores[p] if p < len(row) else [0.0] * v
                hidden += states[p] if p < len(row) else [0.0] * d
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        save(folder / "model.safetensors", weights)
        save(folder / "expected.safetensors", {"logits": ((len(ids), width, v), logits), "last_hidden_state": ((len(ids), width, d), hidden)})
        (folder / "expected.json").write_text(json.dumps(dict(
            input_ids=[row + [0] * (width - len(row)) for row in ids],
            attention_mask=[[1] * len(row) + [0] * (width - len(row)) for row in ids],
            labels=[row + [-100] * (width - len(row)) for row in ids],
            mean_loss=sum(losses) / len(losses))) + "\n")


main()
