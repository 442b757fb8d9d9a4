"""Benchmarks the stages, each against a baseline measured in the same run: part of `make bench`.

    python -m pipeline.bench.stages [NAME…] [--speech FOLDER]

To add a benchmark, write a module in this folder with a function that yields `Figure`s, and add a row to `BENCHES`.
"""

import argparse
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.bench import (
    alignment as bench_alignment,
)
from pipeline.bench import (
    encode as bench_encode,
)
from pipeline.bench import (
    g2p as bench_g2p,
)
from pipeline.bench import (
    similar as bench_similar,
)
from pipeline.bench import (
    slice as bench_slice,
)
from pipeline.bench import (
    store as bench_store,
)
from pipeline.bench.figures import Bench, Figure
from stages.machine import cores, processor


@dataclass(frozen=True, slots=True)
class _Row:
    """A benchmark."""

    measure: Callable[[Bench], Iterator[Figure]]
    needs_speech: bool = False
    """Whether it measures real recordings."""


BENCHES: dict[str, _Row] = {
    "alignment": _Row(bench_alignment.alignment, needs_speech=True),
    "slice": _Row(bench_slice.slices, needs_speech=True),
    "g2p": _Row(bench_g2p.g2p, needs_speech=True),
    "encode": _Row(bench_encode.encode, needs_speech=True),
    "store": _Row(bench_store.store),
    "features": _Row(bench_similar.features, needs_speech=True),
    "search": _Row(bench_similar.search),
}
"""Name -> benchmark, in the order of `make bench`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmarks and prints a table; names those that are skipped for lack of recordings."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.bench.stages", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--speech", type=Path, help="a folder of recordings with transcripts")
    parser.add_argument("--model", type=Path, help="the output of valle export, to measure similar.feature=model")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - BENCHES.keys())
    if unknown:
        parser.error(f"`{unknown[0]}` must be one of {', '.join(BENCHES)}")
    print(f"{processor()}, {cores()} cores, Python {platform.python_version()}")
    speech = options.speech if options.speech and options.speech.is_dir() else None
    for name in options.names or BENCHES:
        row = BENCHES[name]
        print(f"\n{name}", flush=True)
        if row.needs_speech and speech is None:
            print("  not measured: it needs recordings (--speech FOLDER)", flush=True)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            for figure in row.measure(Bench(Path(scratch), speech, options.model)):
                print(f"  {figure.line()}", flush=True)


if __name__ == "__main__":
    main()
