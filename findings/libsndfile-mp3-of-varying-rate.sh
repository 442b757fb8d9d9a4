#!/usr/bin/env bash
# libsndfile 1.2.2 (soundfile 0.14.0): of an MP3 of varying bit rate without a Xing frame it reads as many samples as the
# first frame's bit rate lets it expect. Where the file begins loud and goes on quiet, the rest is lost, without an error
# or a warning. Such files are valid: the Xing frame is no part of the standard. Seen: 16 s of sound of which 3.9 s are
# read; FFmpeg (PyAV 18.1.0) decodes all of it.
# What we do instead: the frames are counted, and where the count differs the file is decoded frame by frame
# (stages/audio/containers/mpeg.py, stages/audio/ffmpeg.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 av==18.1.0 numpy==2.4.0
"$folder/venv/bin/python" - "$folder/loud-first.mp3" <<'PY'
import sys

import av
import numpy as np
import soundfile

rate, path = 16_000, sys.argv[1]
wave = np.zeros(16 * rate)
wave[: 4 * rate] = 0.3 * np.random.default_rng(0).standard_normal(4 * rate)
with av.open(path, "w", format="mp3", options={"write_xing": "0"}) as container:
    stream = container.add_stream("libmp3lame", rate=rate, layout="mono", options={"flags": "+qscale", "global_quality": "236"})
    frame = av.AudioFrame.from_ndarray((np.clip(wave, -1, 1) * 32_767).astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=576)
    for part in [*resampler.resample(frame), *resampler.resample(None), None]:
        container.mux(stream.encode(part))
with av.open(path) as container:
    all_of_it = sum(frame.samples for frame in container.decode(audio=0))
found, _ = soundfile.read(path)
version = f"libsndfile {soundfile.__libsndfile_version__}, soundfile {soundfile.__version__}"
print(f"{version}: {len(found) / rate:.2f} s of {all_of_it / rate:.2f} s")
assert all_of_it >= len(wave), "FFmpeg decoded all of it"
assert len(found) < 0.5 * len(wave), "libsndfile read less than half: has this changed?"
PY
