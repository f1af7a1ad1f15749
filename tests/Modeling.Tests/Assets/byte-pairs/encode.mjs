// Makes tokenizer.json files built as those of Llama 3 and Qwen2 are, over a small vocabulary, and writes what Hugging Face's own library says
// about the texts of texts.json. npm @anush008/tokenizers 0.6.0, which is the Rust library tokenizers 0.22.2; run here:
// npm install @anush008/tokenizers@0.6.0 && node encode.mjs
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import tokenizers from "@anush008/tokenizers";

const here = name => new URL(name, import.meta.url);
const merges = readFileSync(here("../../../../src/Modeling/Pretrained/mini-encoder/merges.txt"), "utf8").split("\n").filter(line => line && !line.startsWith("#")).slice(0, 900);
const bytes = [];
for (let value = 0, next = 0x100; value < 256; value++)
  bytes.push(String.fromCharCode((value >= 33 && value <= 126) || (value >= 161 && value <= 172) || (value >= 174 && value <= 255) ? value : next++));
// Words that no merges lead to: only ignore_merges finds them.
const whole = ["Ġelephant", "zebra", "Ġ你好".normalize("NFC")].map(word => word.includes("你") ? "Ġä½łå¥½" : word);
const tokens = [...bytes, ...merges.map(merge => merge.replace(" ", "")), ...whole];
const vocab = Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));
const first = Object.keys(vocab).length;

const pattern = digits => `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const added = contents => contents.map((content, index) => ({ id: first + index, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const build = ({ digits, ignoreMerges, normalizer, processor, special }) => ({
  version: "1.0", truncation: null, padding: null, added_tokens: added(special), normalizer,
  pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex: pattern(digits) }, behavior: "Isolated", invert: false }, byteLevel] },
  post_processor: processor, decoder: { ...byteLevel, use_regex: true },
  model: { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: ignoreMerges, vocab, merges },
});
const begin = (id, type_id) => ({ SpecialToken: { id, type_id } });
const files = {
  llama3: build({
    digits: "{1,3}", ignoreMerges: true, normalizer: null, special: ["<|begin_of_text|>", "<|end_of_text|>"],
    processor: { type: "Sequence", processors: [{ ...byteLevel, use_regex: true }, {
      type: "TemplateProcessing",
      single: [begin("<|begin_of_text|>", 0), { Sequence: { id: "A", type_id: 0 } }],
      pair: [begin("<|begin_of_text|>", 0), { Sequence: { id: "A", type_id: 0 } }, begin("<|begin_of_text|>", 1), { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<|begin_of_text|>": { id: "<|begin_of_text|>", ids: [first], tokens: ["<|begin_of_text|>"] } },
    }] },
  }),
  qwen2: build({ digits: "", ignoreMerges: false, normalizer: { type: "NFC" }, special: ["<|endoftext|>", "<|im_end|>"], processor: { ...byteLevel, trim_offsets: false } }),
};
const configs = {
  llama3: { tokenizer_class: "PreTrainedTokenizerFast", bos_token: "<|begin_of_text|>", eos_token: "<|end_of_text|>" },
  qwen2: { tokenizer_class: "Qwen2Tokenizer", bos_token: null, eos_token: "<|im_end|>", pad_token: "<|endoftext|>", unk_token: null },
};

const texts = JSON.parse(readFileSync(here("texts.json"), "utf8"));
const ids = {};
for (const [name, file] of Object.entries(files)) {
  mkdirSync(here(name), { recursive: true });
  writeFileSync(here(`${name}/tokenizer.json`), JSON.stringify(file));
  writeFileSync(here(`${name}/tokenizer_config.json`), JSON.stringify(configs[name], null, 1) + "\n");
  const tokenizer = tokenizers.Tokenizer.fromString(JSON.stringify(file));
  ids[name] = [];
  for (const text of texts) ids[name].push((await tokenizer.encode(text, null, { addSpecialTokens: true })).getIds());
}
writeFileSync(here("ids.json"), JSON.stringify(ids) + "\n");
