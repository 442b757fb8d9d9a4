#!/usr/bin/env bash
# distributed 2026.7.1: every worker that it starts gets MALLOC_TRIM_THRESHOLD_=65536 (its `nanny.pre-spawn-environ`). glibc then
# gives back what is freed at once, and, as a fixed threshold also ends the growing of its threshold for `mmap`, each
# array over 128 KiB is mapped anew: a worker takes a page fault for every 4 KiB of every array, fifty times as many as
# the same code outside it. Hearing recordings by whisper took 1.5 times the processor time in a worker. Seen: 25,700
# page faults of a hundred arrays of 1 MiB in a worker, 500 in a plain process.
# What we do instead: both thresholds are set to the most that glibc's own growing comes to (pipeline/cluster/start.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet distributed==2026.7.1 numpy==2.4.6
cat > "$folder/faults.py" <<'PY'
import resource

import distributed
import numpy as np


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            worker = client.submit(faults).result()
    plain = faults()
    print(f"distributed {distributed.__version__}: {worker} page faults in a worker, {plain} in a plain process")
    assert plain < 5_000, "a plain process faults as often: is this glibc?"
    assert worker > 20_000, "a worker faults no more often: has this changed?"
PY
cd "$folder" && env -u MALLOC_TRIM_THRESHOLD_ "$folder/venv/bin/python" faults.py
