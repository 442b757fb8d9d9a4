"""Benchmarks the stages, each against a baseline measured in the same run: part of `make bench`.

    python -m pipeline.bench.stages [NAME…] [--speech FOLDER]

To add a benchmark, write a file in this folder: a function that yields `Figure`s, and a `StageBench` that describes it.
"""

import argparse
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.bench.figures import Bench, StageBench
from stages.machine import cores, processor
from stages.tables import rows_in


def benches() -> dict[str, StageBench]:
    """Returns the benchmarks by name, in the order of `make bench`."""
    return rows_in("pipeline.bench", StageBench)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmarks and prints a table; names those that are skipped for lack of recordings."""
    table = benches()
    parser = argparse.ArgumentParser(prog="python -m pipeline.bench.stages", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(table)}; all by default")
    parser.add_argument("--speech", type=Path, help="a folder of recordings with transcripts")
    parser.add_argument("--model", type=Path, help="the output of valle export, to measure similar.feature=model")
    parser.add_argument("--readings", type=Path, help="tables of written and spoken text, for `readings`")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - table.keys())
    if unknown:
        parser.error(f"`{unknown[0]}` must be one of {', '.join(table)}")
    print(f"{processor()}, {cores()} cores, Python {platform.python_version()}")
    speech = options.speech if options.speech and options.speech.is_dir() else None
    readings = options.readings or (speech and speech.parent / "readings")
    for name in options.names or table:
        row = table[name]
        print(f"\n{name}", flush=True)
        if row.needs_speech and speech is None:
            print("  not measured: it needs recordings (--speech FOLDER)", flush=True)
            continue
        if row.needs_readings and not (readings and readings.is_dir()):
            print("  not measured: it needs tables of written and spoken text (--readings FOLDER)", flush=True)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            for figure in row.measure(Bench(Path(scratch), speech, options.model, readings)):
                print(f"  {figure.line()}", flush=True)


if __name__ == "__main__":
    main()
