"""Exports a model and uploads it: `valle export … --push REPO`."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError

from model.checkpoints.card import model_card
from model.checkpoints.checkpoint import EXPORTED, PARTS, read_part
from model.checkpoints.export import FOLDERS, Format, export, read_model
from model.checkpoints.gguf import GGUFType, read_kind, read_parts
from model.checkpoints.model import Model
from stages.errors import UsageError
from stages.publish.push import check_repo, listing, push

_USE = {
    "safetensors": "`valle synth TEXT REFERENCE.wav OUT.wav --model {file}`",
    "gguf": (
        "For llama.cpp. Which ids are which, and what goes in, is in `docs/exports.md` of `valle`; the file's keys"
        " `valle.ids.…` have the first of each kind."
    ),
}


def publish(
    source: Path,
    out: Path,
    form: Format,
    repo: str,
    *,
    kind: GGUFType = "f16",
    evaluation: str = "",
    public: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Exports a model and uploads it with its card; an export that is there already is only uploaded.

    Args:
        source: As for `export`.
        out: As for `export`, but may be there if it is an export of this model in this format.
        form: The format.
        repo: `OWNER/NAME` on the hub.
        kind: For `gguf`: how matrices are stored.
        evaluation: Rows of `valle eval` for the card.
        public: Whether a repository that is made may be seen by everyone.
        dry_run: Only list what would be uploaded; the export is made in a temporary folder.

    Returns:
        `repository`, `visibility`, `files` with their bytes and, unless it is a dry run, `url`.

    Raises:
        UsageError: if `out` is something else, or without a token; and as `export` and `push` do.
    """
    check_repo(repo, needs_token=not dry_run)
    told = {"repository": repo, "visibility": "public" if public else "private"}
    with TemporaryDirectory() as temporary:
        there = out.exists()
        model = read_model(source)
        if there and not is_export(model, out, form, kind):
            raise UsageError(
                f"`{out}` must not exist, or be an export of this model as {form}, but is something else. Name another"
                " path, or remove it."
            )
        at = out if there or not dry_run else Path(temporary) / out.name
        if not there:
            export(source, at, form, kind=kind, evaluation=evaluation)
        card = None if form in FOLDERS else _card(model, at, form, evaluation)
        files = dict(listing(at, card))
        if dry_run:
            return {**told, "files": files}
        return {**told, "files": files, "url": push(at, repo, "model", card=card, public=public)}


def _card(model: Model, path: Path, form: Format, evaluation: str) -> str:
    tag = "gguf" if form == "gguf" else ""
    return model_card(model, use=_USE[form].format(file=path.name), tag=tag, evaluation=evaluation)


def is_export(model: Model, path: Path, form: Format, kind: GGUFType) -> bool:
    """Returns whether a path is an export of this very model in this format."""
    try:
        if form == "gguf":
            return path.is_file() and read_parts(path) == model.parts and read_kind(path) == kind
        about = path / f"{EXPORTED}.json" if form in FOLDERS else path
        if form in FOLDERS and not (path / FOLDERS[form]).is_file():
            return False
        return {part: json.loads(read_part(about, part)) for part in PARTS} == model.parts
    except (OSError, ValueError, KeyError, SafetensorError):
        return False
