#!/usr/bin/env bash
# Pretrains the first form of mini-encoder: about 20 minutes of one core.
#
#   eng/pretrain/first-form.sh [CORPUS] [OUTPUT]
#
# Learns from all of WordNet's entries and from each second document of the other prose (manuals left out: they are a third of the corpus
# and least like what people classify). CORPUS is what prepare.cs wrote (default /tmp/corpus); OUTPUT receives the checkpoint folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
corpus=${1:-/tmp/corpus}
output=${2:-/tmp/mini-encoder}
model=src/Modeling/Pretrained/mini-encoder

# train.txt holds the sources one after the other, in the order and with the sizes of sizes.md; the first is WordNet.
train_bytes() { awk -F'|' -v name="$1" '$2 ~ " " name " " { gsub(/[ ,]/, "", $6); print $6 }' "$corpus/sizes.md"; }
wordnet=$(train_bytes wordnet)
prose=0
for source in factbook state-of-the-union moby-dick austen world-english-bible jargon-file devils-dictionary; do
  prose=$((prose + $(train_bytes $source)))
done
{
  head -c "$wordnet" "$corpus/train.txt"
  tail -c +$((wordnet + 1)) "$corpus/train.txt" | head -c "$prose" | awk 'BEGIN { RS = ""; ORS = "\n\n" } NR % 2 == 1'
} >"$corpus/first.txt"

# The first paragraphs of each held-out part.
for file in "$corpus"/heldout-*.txt; do
  head -n 120 "$file"
  echo
done >"$corpus/first-heldout.txt"

dotnet run --project src/Cli -c Release -- train --task masked \
  --base "new:$model/config.json" --tokenizer "$model" --data "$corpus/first.txt" --validation "$corpus/first-heldout.txt" \
  --epochs 1 --batch-size 32 --max-tokens 64 --learning-rate 1e-3 --masked-share 0.25 --seed 1 --device cpu \
  --dtype bfloat16 --out "$output"
echo "Checkpoint in $output; copy model.safetensors to $model."
