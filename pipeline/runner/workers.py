"""Asks the workers of a cluster that others started whether each has this program, the dataset and the recordings.

A worker that lacks one of them would fail, or worse, make other rows than its neighbours; it is refused by its name.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from pipeline.cluster.cluster import Cluster
from pipeline.dataset.lock import holds
from stages.corpora.scan import check_folder
from stages.errors import ValleError

_NAMED = 5
"""Workers to name with one problem."""

_LACKS = re.compile("No module named '?[a-z.]+'?")
"""What a worker says that can't read the question: Dask wraps the error in another."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What a worker must have."""

    dataset: Path
    voices: Path
    token: str
    """The run's token: it is in the dataset's folder, if that is the same folder."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker has."""

    version: str
    problem: str
    """What it lacks; "" if nothing."""


@cache
def own_version() -> str:
    """Returns the version of this program and a hash of its sources: a version's number is the same for a while."""
    root, seen = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(path for name in ("pipeline", "stages") for path in (root / name).rglob("*.py")):
        seen.update(f"{path.relative_to(root)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"{metadata.version('valle-prep')} {seen.hexdigest()[:8]}"


def answer(needed: Needed) -> Answer:
    """Tells, on a worker, what it has."""
    if not holds(needed.dataset, needed.token):
        found = "holds another" if needed.dataset.is_dir() else "has no"
        return Answer(own_version(), f"{found} folder `{needed.dataset}`: mount the dataset's at the same path there")
    try:
        check_folder(needed.voices)
    except ValleError as error:
        return Answer(own_version(), f"can't see the recordings: {error}")
    return Answer(own_version(), "")


def problems(cluster: Cluster, needed: Needed) -> list[str]:
    """Returns why workers are refused, a line for each reason, with their names."""
    mine = own_version()
    refused: dict[str, list[str]] = {}
    for worker, found in cluster.ask(answer, needed).items():
        if isinstance(found, BaseException) and (lacks := _LACKS.search(str(found))):
            reason = f"doesn't have valle-prep ({lacks[0]}). Install the same version there, and restart it"
        elif isinstance(found, BaseException):
            reason = f"can't be asked: {' '.join(str(found).split()) or type(found).__name__}. Restart it"
        elif found.version != mine:
            reason = f"has valle-prep {found.version}, but this is {mine}. Install the same there, and restart it"
        else:
            reason = found.problem
        if reason:
            refused.setdefault(reason, []).append(worker)
    return [f"{_named(workers)} {reason.rstrip('.')}." for reason, workers in refused.items()]


def _named(workers: Sequence[str]) -> str:
    more = f" and {len(workers) - _NAMED} more" if len(workers) > _NAMED else ""
    named = ", ".join(f"`{worker}`" for worker in workers[:_NAMED])
    return f"worker{'s' * (len(workers) > 1)} {named}{more}:"
