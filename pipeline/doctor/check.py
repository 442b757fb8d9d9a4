"""Shared parts of the checks of `valle-prep doctor`: a row, the setup to examine, and a subprocess for risky imports.

A check is a function that takes a `Setup` and returns rows. It never raises: it reports what is broken as a row.
"""

import json
import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pipeline.config import PrepConfig
from pipeline.dataset.folder import was_imported
from stages.artefacts.formats import Rows
from stages.artefacts.manifest import list_shards, part_paths
from stages.codecs.table import CODECS
from stages.errors import ValleError
from stages.neighbours.features import FEATURES
from stages.records import Record, Recording

GIB = 1 << 30
SETUP = "Run `make setup`."
"""The hint for a broken installation."""
_ROOT = Path(__file__).resolve().parents[2]
_PROBE_S = 300

Status = Literal["ok", "note", "problem"]
GROUPS = ("packages", "weights", "phonemes", "devices", "disk", "cluster")

WHISPER = ("whisperx", "faster-whisper", "ctranslate2", "pyannote-audio", "transformers", "nltk")
ALWAYS = ("numpy", "torch", "soundfile", "av", "soxr", "py3langid", "h5py", "pyarrow", "huggingface-hub")
PHONEMES = ("phonemizer", "espeakng-loader", "pykakasi", "num2words", "pypinyin", "rjieba", "opencc")


@dataclass(frozen=True, slots=True)
class Check(Record):
    """A row of the doctor's report."""

    name: str
    group: str
    """One of `GROUPS`."""
    status: Status
    """`problem`: the configured pipeline can't run; `note`: worth knowing, or missing but not needed."""
    value: str
    """What was found."""
    hint: str = ""
    """The command or setting that fixes it; empty if all is well."""


@dataclass(frozen=True)
class Setup:
    """The setup to examine: a configuration, and where and how it is to run."""

    config: PrepConfig
    out: Path
    """The dataset's folder; need not exist."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    scheduler: str = "local"
    jobs: int | None = None
    write: bool = True
    """Whether the checks may try to write a file."""

    @cached_property
    def hears(self) -> bool | None:
        """Whether whisperX must transcribe any recording; None if no recordings have been scanned yet."""
        wanted = self.config.transcribe.transcripts
        if was_imported(self.out):
            return False
        if wanted != "auto":
            return wanted == "ignore"
        folder, rows = self.out / "recordings", Rows(Recording)
        shards = list_shards(folder)
        try:
            without = any(
                not recording.transcript
                for shard in shards
                for recording in rows.read(part_paths(folder, shard, rows.parts))
            )
        except (ValleError, TypeError):
            return None  # the next scan rewrites a damaged shard
        return without if shards else None

    @cached_property
    def needed(self) -> Collection[str]:
        """Names of the packages that the configured stages import."""
        config = self.config
        names = {*ALWAYS, *PHONEMES, *CODECS[config.encode.codec].packages}
        names |= {*WHISPER, "torchaudio"} if self.hears else set()
        names |= {"pocketsphinx"} if config.transcribe.times == "pocketsphinx" else set()
        names |= {"pyopenjtalk-plus"} if config.g2p.japanese == "openjtalk" else set()
        names |= {"onnxruntime"} if config.slice.dnsmos else set()
        names |= {*FEATURES[config.similar.feature].packages}
        names |= set() if config.similar.approximate_above is None else {"faiss-cpu"}
        names |= {"dask", "distributed"} if self.scheduler != "sync" else set()
        names |= {"dask-cuda"} if self.scheduler == "cuda" else set()
        return names | ({"dask-jobqueue"} if self.scheduler.startswith("slurm:") else set())

    def missing(self, package: str) -> Status:
        """Returns the status of a package that can't be used: `problem` if it is needed, else `note`."""
        return "problem" if package in self.needed else "note"


def gib(count: int) -> str:
    """Formats a number of bytes, such as `1.5 GiB`."""
    for unit, size in (("GiB", GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def reason(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message, at most 200 characters."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"


def probe(script: str) -> tuple[Any, str]:
    """Runs a Python script in a new interpreter, without the network.

    Returns:
        Its last line of output, parsed as JSON if it can be; and the error message, "" if it succeeded.
    """
    quiet = {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", script]
    try:
        child = subprocess.run(
            command, cwd=_ROOT, env={**os.environ, **quiet}, capture_output=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, reason(error)
    if child.returncode:
        errors = child.stderr.decode(errors="replace").strip().splitlines()
        return None, errors[-1][:300] if errors else f"its process ended with {child.returncode}"
    line = child.stdout.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        return json.loads(line), ""
    except ValueError:
        return line, ""
