#!/usr/bin/env bash
# It says sentences that it never heard: texts, speech, dataset, training, evaluation, report. Called by `make sentences`.
# Every step goes on where it was interrupted: run the same command again.
#
#   OUT=sentences          folder for everything
#   SIZE=cores             cores: two CPU cores, three hours at most; gpu: ten minutes of a GPU; short: all parts, in minutes
#   SPEECH=../shared/speech  real recordings, where that folder is: librispeech-test-other to test voices never heard, and
#   REAL="…"               those of its folders that are trained on beside the synthetic speech; by default with SIZE=gpu
#                          librispeech-train-clean-100, ljspeech and vctk, else none: they cost more time than there is
#   COUNT, TESTED          sentences to train on; sentences and recordings to test
#   SPARE=8                sentences that are neither, for prompts and for the means of the voices
#   VERSES=FILE            what Debian's `bible -f gen1:1-rev22:21` prints; by default its packages are fetched with apt
#   MODES="nar-len all"    how the model speaks
#   SETS="…"               more settings of `valle train`, such as "model.layers=8 trainer.max_steps=4000"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

readonly OUT=${OUT:-sentences} SIZE=${SIZE:-cores} SPEECH=${SPEECH-../shared/speech} MODES=${MODES:-nar-len all}
readonly VERSES=${VERSES-fetch}
readonly UNHEARD=$SPEECH/librispeech-test-other
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
run=() real=
case $SIZE in
  cores) count=8000 tested=50 settings=() ;;
  gpu) count=8000 tested=50 real="librispeech-train-clean-100 ljspeech vctk" settings=(model.width=512 model.layers=10 model.heads=8 model.feedforward=1536
    data.batch_tokens=32768 optimizer.lr=1e-3 optimizer.muon_lr=3e-3 trainer.max_steps=6000) ;;
  short) count=64 tested=4 jobs=1 run=(--scheduler sync) settings=(model.width=64 model.layers=2 model.heads=2
    model.feedforward=128 data.batch_tokens=2048 data.validation=0.25 optimizer.warmup_steps=5 trainer.max_steps=40
    trainer.samples=1 trainer.validate_every=40 trainer.save_every=40 trainer.log_every=5 trainer.threads=1) ;;
  *) printf 'error: SIZE must be cores, gpu or short, but is %s.\n' "$SIZE" >&2 && exit 2 ;;
esac
count=${COUNT:-$count} tested=${TESTED:-$tested}
readonly REAL=${REAL-$real}
read -ra more <<<"${SETS:-}"

step() { # step COMMAND...: prints the command and runs it
  local status=0
  printf '\n$%s\n' "$(printf ' %q' "$@")"
  "$@" || status=$?
  [[ $status == 0 || $status == 3 ]] || exit "$status" # 3: done, but some recordings were rejected
}

verses() { # verses FILE: writes the verses of the King James Version, or says why there are none
  local folder
  folder=$(mktemp -d)
  if (cd "$folder" && apt-get download -q bible-kjv bible-kjv-text && dpkg-deb -x bible-kjv_*.deb . &&
    dpkg-deb -x bible-kjv-text_*.deb . && ./usr/bin/bible -p "$folder/usr/lib/" -f gen1:1-rev22:21 >verses </dev/null &&
    [[ $(wc -l <verses) -gt 30000 ]]) >/dev/null 2>&1; then
    mv "$folder/verses" "$1"
  else
    printf "note: no verses: Debian's packages bible-kjv and bible-kjv-text can't be fetched or run here. The texts are the\n"
    printf "project's own alone; VERSES=FILE gives verses.\n"
  fi
  rm -rf "$folder"
}

{ # read as a whole before it begins: a new version of this file doesn't change a run that goes on
mkdir -p "$OUT/recordings"
if [[ ! -f $OUT/texts/texts.json ]]; then
  case $VERSES in
    fetch) [[ -f $OUT/kjv.txt ]] || verses "$OUT/kjv.txt" ;;
    ?*) cp "$VERSES" "$OUT/kjv.txt" ;;
  esac
  found=()
  [[ ! -f $OUT/kjv.txt ]] || found=(--verses "$OUT/kjv.txt")
  step python -m stages.corpora.sentences "$OUT/texts" --count "$count" "${found[@]}"
fi
head -n $((2 * tested + ${SPARE:-8})) "$OUT/texts/held-out.tsv" >"$OUT/texts/tested.tsv"
step valle-prep voices "$OUT/held-out" --voice piper --texts "$OUT/texts/tested.tsv" --jobs "$jobs"
step valle-prep voices "$OUT/recordings/synthetic" --voice piper --texts "$OUT/texts/train.tsv" --jobs "$jobs"

prepare=("${run[@]}" --set encode.codec=embedded --set encode.codebooks=4) languages="synthetic: en"
if [[ -n $REAL && -n $SPEECH && -d $SPEECH && $SIZE != short ]]; then
  for group in $REAL; do
    [[ -d $SPEECH/$group ]] || continue
    ln -sfn "$(realpath "$SPEECH/$group")" "$OUT/recordings/$group"
    languages+=", $group: en"
  done
  prepare+=(--set transcribe.model=packaged) # some have no text
fi
step valle-prep run "$OUT/recordings" --out "$OUT/dataset" --set "transcribe.languages={$languages}" "${prepare[@]}"
declare -A chosen # of two settings of one key the later one
for setting in "data.store=$OUT/dataset" "trainer.out=$OUT/model" "${settings[@]}" "${more[@]}"; do
  chosen[${setting%%=*}]=$setting
done
overrides=()
for setting in "${chosen[@]}"; do overrides+=(--set "$setting"); done
step valle train configs/sentences.yaml "${overrides[@]}"

lists=()
[[ -z $SPEECH || ! -d $UNHEARD || $SIZE == short ]] || lists=(--librispeech "$UNHEARD")
step python -m model.evaluation.sentences lists "$OUT" --most "$tested" "${lists[@]}"
name=$(basename "$(find "$OUT/model/checkpoints" -maxdepth 1 -name 'step-*' | sort | tail -n 1)")
for mode in $MODES; do
  case $mode in
    ar) decoding=(--guidance 1.5 --temperature 0.7 --top-p 0.9) ;; # chosen on validation sentences, as the others were
    all) decoding=(--guidance 2 --steps 8) ;;
    *) decoding=(--guidance 2 --steps 16) ;;
  esac
  for list in "$OUT"/lists/*.tsv; do
    step valle eval --protocol own --list "$list" --root / --model "$OUT/model/checkpoints/$name" --asr packaged \
      --mode "$mode" "${decoding[@]}" --out "$OUT/eval/$name/$mode/$(basename "$list" .tsv)"
  done
done
step python -m model.evaluation.sentences report "$OUT" --step "$name"
exit
}
