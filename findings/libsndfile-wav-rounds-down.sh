#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): float samples written as 16-bit WAV are rounded down, as FLAC to the nearest, so
# the same wave gives two recordings, and the one in WAV is half a step lower on average.
# What we do instead: samples are rounded before libsndfile gets them (stages/audio/files.py, `sixteen_bit`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PY'
import io

import numpy as np
import soundfile

steps = np.array([0.4, 0.6, -0.4, -0.6, 2.9, -2.9], np.float32)
found = {}
for kind in ("WAV", "FLAC"):
    file = io.BytesIO()
    soundfile.write(file, steps / 32768, 24000, subtype="PCM_16", format=kind)
    file.seek(0)
    found[kind] = soundfile.read(file, dtype="int16")[0].tolist()
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__, found)
assert found["FLAC"] == [0, 1, 0, -1, 3, -3], "FLAC was rounded to the nearest"
assert found["WAV"] == [0, 0, -1, -1, 2, -3], "WAV was rounded down: has this changed?"
PY
