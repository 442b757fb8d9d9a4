"""Finds the recordings of a voices folder, and the transcript or the table row of each.

If no table names the speaker, the folders do: `VOICES/<group>/<speaker>/…/file`, `VOICES/<speaker>/file` (no group), or
`VOICES/file` (one speaker, named as the folder). Nothing is written, and only tables are opened.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stages.audio.files import RAW_SUFFIXES, SUFFIXES
from stages.corpora.corpus import Corpus
from stages.errors import UsageError
from stages.ids import id_of
from stages.records import Recording
from stages.transcripts.table import READERS

_RANK = {suffix: rank for rank, suffix in enumerate(READERS)}


@dataclass(frozen=True, slots=True)
class Scan:
    """The contents of a voices folder."""

    recordings: tuple[Recording, ...]
    """Sorted by id, with empty digests."""
    ignored: dict[str, int]
    """Number of files that are neither recordings nor their transcripts, by lower-case suffix; most frequent first."""


def scan(voices: Path, layout: str = "auto") -> Scan:
    """Lists the recordings below a folder. Skips hidden files and folders; follows symbolic links.

    A recording's transcript is the file with the same stem in the same folder and a suffix in `READERS`. Recordings
    with the same stem share it. A transcript is preferred to a table's row.

    Args:
        voices: The folder of recordings.
        layout: A name in `LAYOUTS`; `auto` reads the tables of every layout.

    Raises:
        UsageError: if the folder is missing, can't be listed or holds no recording; if a table can't be read, or the
            named layout has no table here.
    """
    ignored: Counter[str] = Counter()
    recordings = sorted(walk(voices, ignored, layout), key=lambda recording: recording.id)
    return Scan(tuple(recordings), dict(ignored.most_common()))


def check_folder(voices: Path) -> None:
    """Checks that the folder of recordings exists and can be listed.

    Raises:
        UsageError: if it is missing, a file, or can't be listed.
    """
    if not voices.is_dir():
        found = "a file" if voices.exists() else "not there"
        raise UsageError(f"`{voices}` must be a folder of recordings, but is {found}. Give the path of one.")
    try:
        os.scandir(voices).close()
    except OSError as error:
        raise _unlistable(voices, error) from error


def walk(voices: Path, ignored: Counter[str], layout: str = "auto", *, raw: bool = False) -> Iterator[Recording]:
    """Yields the recordings that `scan` lists, folder by folder: only one folder is held in memory.

    Args:
        voices: The folder of recordings.
        ignored: Receives the number of other files, by lower-case suffix.
        layout: As for `scan`.
        raw: Whether files without a header are recordings, since their format is told.

    Raises:
        UsageError: as `scan`; that there is no recording is raised at the end.
    """
    check_folder(voices)
    with Corpus(voices, layout) as corpus:
        if layout != "voices":
            corpus.gather(folders(voices, Counter()))
        found = False
        for recording in _walk(voices, ignored, corpus, SUFFIXES | RAW_SUFFIXES if raw else SUFFIXES):
            found = True
            yield recording
    if not found:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        raise UsageError(
            f"`{voices}` must hold recordings ({' '.join(sorted(SUFFIXES))}), but holds {kinds or 'no files'}."
            " Give the folder above the groups or speakers."
        )


def _walk(voices: Path, ignored: Counter[str], corpus: Corpus, suffixes: frozenset[str]) -> Iterator[Recording]:
    owner = partial(owner_of, only_speaker=id_of(voices.resolve().name))
    for path, names in folders(voices, ignored):
        group, speaker = owner(id_of(path))
        prefix = f"{path}/" if path else ""
        audio, transcripts, rest = _sort_out(names, suffixes)
        ignored.update(suffix for name, suffix in rest if not corpus.knows(id_of(f"{prefix}{name}")))
        for name, stem in audio:
            item_id = id_of(f"{prefix}{name}")
            in_table = corpus.recording(item_id, owner)
            beside = id_of(f"{prefix}{transcripts[stem]}") if stem in transcripts else ""
            if in_table is not None:
                yield replace(in_table, transcript=beside, told="") if beside else in_table
            elif not beside and corpus.left_out(item_id):
                ignored[f"{_split(name)[1]} that no table names"] += 1
            else:
                yield Recording(item_id, group, speaker, "", beside)
    yield from corpus.missing(owner)


def owner_of(folder: str, only_speaker: str) -> tuple[str, str]:
    """Returns the group and the speaker of the files in a folder.

    Args:
        folder: Its id below the voices folder; "" for the voices folder itself.
        only_speaker: The speaker of files directly in the voices folder.
    """
    parts = folder.split("/", 2)
    if len(parts) > 1:
        return parts[0], parts[1]
    return "", folder or only_speaker


def _split(name: str) -> tuple[str, str]:
    stem, _, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if stem else (name, "")


def _sort_out(
    names: list[str], suffixes: frozenset[str]
) -> tuple[list[tuple[str, str]], dict[str, str], list[tuple[str, str]]]:
    """Sorts a folder's file names into recordings, the best transcript per stem, and the rest.

    Returns:
        Name and stem of each recording; name of the transcript by stem; name and suffix of each other file.
    """
    audio: list[tuple[str, str]] = []
    ranked: dict[str, tuple[int, str]] = {}
    texts: list[tuple[str, str, str]] = []
    rest: list[tuple[str, str]] = []
    for name in sorted(names):
        stem, suffix = _split(name)
        if suffix in suffixes:
            audio.append((name, stem))
        elif suffix in _RANK:
            texts.append((name, stem, suffix))
            candidate = (_RANK[suffix], name)
            ranked[stem] = min(ranked.get(stem, candidate), candidate)
        else:
            rest.append((name, suffix))
    stems = {stem for _, stem in audio}
    rest += [(name, suffix) for name, stem, suffix in texts if stem not in stems]
    return audio, {stem: name for stem, (_, name) in ranked.items()}, rest


def folders(voices: Path, ignored: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields `voices` (as "") and each folder below it, with the names of its files. Skips hidden ones.

    Follows a link to a folder unless it leads back to a folder above it.

    Args:
        voices: The folder of recordings.
        ignored: Receives the number of entries that are neither files nor folders.

    Raises:
        UsageError: if a folder can't be listed.
    """
    open_folders: list[tuple[str, tuple[str, ...]]] = [("", (os.path.realpath(voices),))]
    while open_folders:
        folder, above = open_folders.pop()
        names = []
        for entry in _entries(voices / folder):
            below = f"{folder}/{entry.name}" if folder else entry.name
            if _is_file(entry):
                names.append(entry.name)
            elif not entry.is_dir():
                ignored["no file"] += 1
            else:
                real = os.path.realpath(entry.path) if entry.is_symlink() else f"{above[-1]}/{entry.name}"
                if real not in above:
                    open_folders.append((below, (*above, real)))
        yield folder, names


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise _unlistable(folder, error) from error


def _unlistable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"`{folder}` can't be listed: {error.strerror}. Make it readable or move it away.")


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Returns whether an entry is a file or a dangling link. The latter is listed, and rejected later."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
