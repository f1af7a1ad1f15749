#!/usr/bin/env bash
# Pretrains mini-encoder: about three hours of one CPU core.
#
#   eng/pretrain/pretrain.sh [CORPUS] [WORK]
#
# CORPUS is what prepare.cs wrote (default /tmp/corpus); WORK (default /tmp/mini-encoder) receives one checkpoint folder per phase, the last
# of which, WORK/long, is the model. A run that was cut off goes on where it was: finished phases are kept, and within a phase the trainer
# resumes from its own checkpoint.
#
# 1 next     three windows of four learn each next token: every token is a guess, so the embeddings and the attention to neighbours form
#            within minutes, which masks alone did not bring about in hours
# 2 masked   masked tokens, and the text's words from the first token, at a constant rate
# 3 settled  the same in longer windows, the rate falling to zero
# 4 words    the same with word lists between the text: synonyms and words of one opinion, which books and manuals seldom bring together
# 5 long     the longest windows, for the positions that no shorter one reaches
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
corpus=${1:-/tmp/corpus}
work=${2:-/tmp/mini-encoder}
model=src/Modeling/Pretrained/mini-encoder
mkdir -p "$work"

# train.txt holds the sources one after the other, in the order and with the sizes of sizes.md; the first is WordNet.
wordnet=$(awk -F'|' '$2 ~ / wordnet / { gsub(/[ ,]/, "", $6); print $6 }' "$corpus/sizes.md")
documents() { awk -v every="$1" -v which="$2" 'BEGIN { RS = ""; ORS = "\n\n" } NR % every == which'; }
{ head -c "$wordnet" "$corpus/train.txt"; tail -c +$((wordnet + 1)) "$corpus/train.txt" | documents 2 1; } >"$work/next.txt"
documents 4 0 <"$corpus/train.txt" >"$work/settled.txt"
{ documents 2 0 <"$corpus/train.txt"; cat "$corpus/words.txt"; } >"$work/words.txt"
documents 8 1 <"$corpus/train.txt" >"$work/long.txt"

# phase NAME BASE TEXT OPTION...: big arrays stay with the process between steps, which saves a quarter of the time.
phase() {
  local name=$1 base=$2 text=$3
  shift 3
  if [ -f "$work/$name/model.safetensors" ]; then return; fi
  GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184 \
    dotnet run --project src/Cli -c Release -- train --task masked --base "$base" --data "$text" --seed 1 --device cpu \
    --checkpoint "$work/$name.checkpoints" --checkpoint-every 500 --resume --out "$work/$name" --json "$work/$name.json" "$@"
}

phase next "new:$model/config.json" "$work/next.txt" --tokenizer "$model" \
  --causal-share 0.75 --masked-share 0.3 --max-tokens 64 --batch-size 32 --learning-rate 2e-3 --schedule constant --warmup 0.04
phase masked "$work/next" "$corpus/train.txt" \
  --masked-share 0.25 --bag-of-words 0.3 --max-tokens 64 --batch-size 32 --learning-rate 1.5e-3 --schedule constant --warmup 0.02
phase settled "$work/masked" "$work/settled.txt" \
  --masked-share 0.25 --bag-of-words 0.3 --max-tokens 128 --batch-size 16 --learning-rate 1.5e-3 --warmup 0.02
phase words "$work/settled" "$work/words.txt" \
  --masked-share 0.25 --bag-of-words 0.3 --max-tokens 64 --batch-size 32 --learning-rate 1e-3 --warmup 0.02
phase long "$work/words" "$work/long.txt" --dtype bfloat16 \
  --masked-share 0.25 --bag-of-words 0.3 --max-tokens 256 --batch-size 8 --learning-rate 6e-4 --warmup 0.05
echo "Checkpoint in $work/long; copy its model.safetensors to $model."
