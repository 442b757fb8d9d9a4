"""The identity of a folder's files: what they were made with, so that they aren't continued with anything else."""

import json
from collections.abc import Mapping
from pathlib import Path

from stages.artefacts.disk import write_text


def write_identity(path: Path, identity: Mapping[str, str]) -> None:
    """Writes an identity: names and values."""
    write_text(path, json.dumps(identity, ensure_ascii=False, indent=1) + "\n")


def differences(path: Path, identity: Mapping[str, str]) -> str:
    """Returns where a written identity differs, as `name: written -> given; …`; "" if it doesn't.

    Raises:
        OSError: if the file can't be read.
        ValueError: if it holds something else.
    """
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except TypeError as error:
        raise ValueError(error) from error
    names = [name for name in {**identity, **found} if found.get(name) != identity.get(name)]
    return "; ".join(f"{name}: {found.get(name)} -> {identity.get(name)}" for name in names)
