// What Hugging Face's own library says about the texts of texts.json, read through variants of xlm-roberta/tokenizer.json.
// npm @anush008/tokenizers 0.6.0, which is the Rust library tokenizers 0.22.2; run here: npm install @anush008/tokenizers@0.6.0 && node encode.mjs
import { readFileSync, writeFileSync } from "node:fs";
import tokenizers from "@anush008/tokenizers";

const read = name => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const file = read("xlm-roberta/tokenizer.json");
const texts = read("texts.json");
const metaspace = (more) => ({ type: "Metaspace", replacement: "▁", ...more });
const replaceRuns = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };

// What each variant changes; "precompiled" stands for the file's own normalizer. Bytes are added to the vocabulary where they are asked for.
const variants = [
  { name: "as xlm-roberta-base has it" },
  { name: "as it is saved today", normalizer: { type: "Sequence", normalizers: ["precompiled", replaceRuns] }, pre_tokenizer: metaspace({ prepend_scheme: "always", split: true }) },
  { name: "no normalizer", normalizer: null, pre_tokenizer: metaspace({ add_prefix_space: true }) },
  { name: "no prefix, no words", normalizer: replaceRuns, pre_tokenizer: metaspace({ prepend_scheme: "never", split: false }) },
  { name: "prefix, no words", normalizer: "precompiled", pre_tokenizer: metaspace({ prepend_scheme: "always", split: false }) },
  { name: "bytes", normalizer: { type: "NFC" }, pre_tokenizer: metaspace({ prepend_scheme: "always", split: true }), bytes: true },
  { name: "NFKC, right end stripped", normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Strip", strip_left: false, strip_right: true }] }, pre_tokenizer: metaspace({ prepend_scheme: "never" }) },
  {
    name: "as albert-base-v2 has it",
    normalizer: { type: "Sequence", normalizers: [
      { type: "Replace", pattern: { String: "``" }, content: "\"" }, { type: "Replace", pattern: { String: "''" }, content: "\"" },
      { type: "NFKD" }, { type: "StripAccents" }, { type: "Lowercase" }, "precompiled", replaceRuns] },
    pre_tokenizer: metaspace({ prepend_scheme: "always", split: true }),
  },
  { name: "NFD, stripped", normalizer: { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "Strip", strip_left: true, strip_right: true }] }, pre_tokenizer: metaspace({ prepend_scheme: "always" }) },
];

function change(variant) {
  const changed = structuredClone(file);
  const own = part => part === "precompiled" ? file.normalizer : part?.normalizers ? { ...part, normalizers: part.normalizers.map(own) } : part;
  if ("normalizer" in variant) changed.normalizer = own(variant.normalizer);
  if ("pre_tokenizer" in variant) changed.pre_tokenizer = variant.pre_tokenizer;
  if (variant.bytes) {
    changed.model.byte_fallback = true;
    for (let value = 0; value < 256; value++) changed.model.vocab.push([`<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`, 0]);
  }
  return tokenizers.Tokenizer.fromString(JSON.stringify(changed));
}

const golden = [];
for (const variant of variants) {
  const tokenizer = change(variant);
  const ids = [];
  for (const text of texts) ids.push((await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds());
  golden.push({ ...variant, ids });
}
const whole = change({});
const pair = (await whole.encode("hello world", "  leading and trailing  ")).getIds();
const marked = (await whole.encode("a  <mask> b</s><unk> c <s>", null, { addSpecialTokens: false })).getIds();
writeFileSync(new URL("huggingface.json", import.meta.url), JSON.stringify({ pair, marked, variants: golden }) + "\n");
