"""Exports a dataset and uploads it: `valle-prep export … --push REPO`."""

from pathlib import Path
from typing import Any

from stages.errors import UsageError
from stages.exchange.source import Source
from stages.exchange.table import EXPORTS, export, is_export
from stages.publish.push import check_repo, listing, push


def publish(
    kind: str, source: Source, target: Path, repo: str, *, public: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Exports a dataset and uploads the folder; an export of it that is there already is only uploaded.

    Args:
        kind: A row of `EXPORTS` that is portable.
        source: The dataset.
        target: As for `export`, but may be an export of this dataset in this format.
        repo: `OWNER/NAME` on the hub.
        public: Whether a repository that is made may be seen by everyone.
        dry_run: Write and upload nothing.

    Returns:
        `utterances`, `repository`, `visibility`, the `files` with their bytes if the export is there, and `url` unless
        it is a dry run.

    Raises:
        UsageError: if the format can't be pushed, or without a token; and as `export` and `push` do.
    """
    if kind in EXPORTS and not EXPORTS[kind].portable:
        may = ", ".join(name for name, row in EXPORTS.items() if row.portable)
        raise UsageError(
            f"`--push` can upload {may}, but the format is `{kind}`, which names files of this machine or has no card."
        )
    check_repo(repo, needs_token=not dry_run)
    there = target.is_dir() and is_export(kind, source, target)
    rows = EXPORTS[kind].count(source) if there else export(kind, source, target, dry_run=dry_run)
    told: dict[str, Any] = {"utterances": rows, "repository": repo, "visibility": "public" if public else "private"}
    if there or not dry_run:
        told["files"] = dict(listing(target))
    return told if dry_run else {**told, "url": push(target, repo, "dataset", public=public)}


def in_lines(told: dict[str, Any]) -> str:
    """Returns what `publish` told, for people."""
    lines = [f"{name}: {value}" for name, value in told.items() if name != "files"]
    return "\n".join([*lines, *(f"{size:>15,}  {name}" for name, size in told.get("files", {}).items())])
