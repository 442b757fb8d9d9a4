"""What the checks of `valle-prep doctor` share: a row, what is examined, and a way to try what may break.

A check is a function that gives rows and never raises: what is broken is what it is there to say.
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
"""How a broken installation is mended."""
_ROOT = Path(__file__).resolve().parents[2]
_PROBE_S = 300

Status = Literal["ok", "note", "problem"]
GROUPS = ("packages", "weights", "phonemes", "devices", "disk", "cluster")

WHISPER = ("whisperx", "faster-whisper", "ctranslate2", "pyannote-audio", "transformers", "nltk")
ALWAYS = ("numpy", "torch", "soundfile", "av", "soxr", "py3langid", "h5py", "pyarrow", "huggingface-hub")
PHONEMES = ("phonemizer", "espeakng-loader", "pykakasi")


@dataclass(frozen=True, slots=True)
class Check(Record):
    """A row of what the doctor says."""

    name: str
    group: str
    """One of `GROUPS`."""
    status: Status
    """`problem`: the configured pipeline can't run so; `note`: good to know, or missing but not needed."""
    value: str
    """What was found."""
    hint: str = ""
    """The command or setting that mends it; empty where all is well."""


@dataclass(frozen=True)
class Setup:
    """What is examined: a configuration, and where and how it is to run."""

    config: PrepConfig
    out: Path
    """The dataset's folder; it needn't be there."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    scheduler: str = "local"
    jobs: int | None = None
    write: bool = True
    """Whether writing may be tried."""

    @cached_property
    def hears(self) -> bool | None:
        """Whether whisperX has to hear some recording; None where that depends on recordings yet to come."""
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
            return None  # a damaged shard will be written again by the next scan
        return without if shards else None

    @cached_property
    def needed(self) -> Collection[str]:
        """The packages that the configured stages import."""
        config = self.config
        names = {*ALWAYS, *PHONEMES, *CODECS[config.encode.codec].packages}
        names |= {*WHISPER, "torchaudio"} if self.hears else set()
        names |= {"pocketsphinx"} if config.transcribe.times == "pocketsphinx" else set()
        names |= {"onnxruntime"} if config.slice.dnsmos else set()
        names |= {*FEATURES[config.similar.feature].packages}
        names |= set() if config.similar.approximate_above is None else {"faiss-cpu"}
        names |= {"dask", "distributed"} if self.scheduler != "sync" else set()
        names |= {"dask-cuda"} if self.scheduler == "cuda" else set()
        return names | ({"dask-jobqueue"} if self.scheduler.startswith("slurm:") else set())

    def missing(self, package: str) -> Status:
        """Returns how bad it is when a package can't be used."""
        return "problem" if package in self.needed else "note"


def gib(count: int) -> str:
    """Returns a number of bytes for people."""
    for unit, size in (("GiB", GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def reason(error: BaseException) -> str:
    """Returns an error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"


def probe(script: str) -> tuple[Any, str]:
    """Runs a script in a fresh interpreter, without the network.

    Returns:
        What its last line holds as JSON (as text where it is none), and what went wrong: "" if nothing.
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
        said = child.stderr.decode(errors="replace").strip().splitlines()
        return None, said[-1][:300] if said else f"its process ended with {child.returncode}"
    line = child.stdout.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        return json.loads(line), ""
    except ValueError:
        return line, ""
