#!/usr/bin/env bash
# Runs the whole way on a small scale: recordings, dataset, model, speech. Called by `make demo`.
set -euo pipefail
shopt -s globstar nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

readonly TEXT="A good question is often worth more than a quick and easy answer."
times=()

step() { # step NAME COMMAND...: prints the command, runs it and records its time
  local name=$1 start=$SECONDS status=0
  shift
  printf '\n== %s\n$%s\n' "$name" "$(printf ' %q' "$@")"
  "$@" || status=$?
  [[ $status == 0 || $status == 3 ]] || exit "$status" # 3: done, but some recordings were rejected
  times+=("$(printf '%-12s %4d s' "$name" $((SECONDS - start)))")
}

[[ -d voices ]] || step recordings valle-prep voices voices
step dataset valle-prep run voices --out dataset --set encode.codec=embedded
step training valle train configs/demo.yaml
references=(voices/en/**/*.wav voices/**/*.{wav,flac,mp3,ogg,opus,m4a})
step speech valle synth "$TEXT" "${references[0]}" demo/out.wav --model demo/model --language en

cat <<EOF

$(printf '%s\n' "${times[@]}")
total        $(printf '%4d' "$SECONDS") s

voices/        the recordings and their transcripts
dataset/       codes, text, phonemes and neighbours; tables in dataset/metadata
demo/model/    the model; tensorboard --logdir demo/model shows the training
demo/out.wav   "$TEXT", in the voice of ${references[0]}

The model is tiny: it has memorised a few English sentences in two synthetic voices. For a real model, put your
recordings into a folder as <speaker>/<file>, and run on a GPU:
  .venv/bin/valle-prep run FOLDER --out my-dataset
  .venv/bin/valle train configs/base.yaml --set data.store=my-dataset
EOF
