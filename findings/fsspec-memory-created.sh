#!/usr/bin/env bash
# fsspec 2026.9.0: the file system `memory` tells the time of a file (`created`) as a `datetime` by `info`, and as a number
# of seconds by `find` and `ls` with details. A program that lists files and later asks whether one is still the same
# finds every file changed. Seen: float and datetime for one file.
# What we do instead: both are turned into microseconds before they are compared (stages/remote/stores.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fsspec==2026.9.0
"$folder/venv/bin/python" - <<'PY'
from datetime import datetime

import fsspec

memory = fsspec.filesystem("memory")
memory.pipe_file("/folder/a.txt", b"text")
listed = memory.find("/folder", detail=True)["/folder/a.txt"]["created"]
told = memory.info("/folder/a.txt")["created"]
print(f"fsspec {fsspec.__version__}: find tells {listed!r}, info tells {told!r}")
assert isinstance(listed, float), "find tells no number: has this changed?"
assert isinstance(told, datetime), "info tells no datetime: has this changed?"
PY
