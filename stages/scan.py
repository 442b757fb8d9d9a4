"""Finding the recordings of a voices folder and the transcripts beside them.

A file's depth says whose it is: `VOICES/<group>/<speaker>/…/file`, `VOICES/<speaker>/file` (no group), or
`VOICES/file` (one speaker, named as the folder). Nothing is opened or changed.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.audio import SUFFIXES
from stages.errors import UsageError
from stages.records import Recording, id_of
from stages.transcripts import READERS

_RANK = {suffix: rank for rank, suffix in enumerate(READERS)}


@dataclass(frozen=True, slots=True)
class Scan:
    """What a voices folder holds."""

    recordings: tuple[Recording, ...]
    """Sorted by id; their digests are still empty."""
    ignored: dict[str, int]
    """Files that are neither recordings nor their transcripts, by lower-case suffix, most frequent first."""


def scan(voices: Path) -> Scan:
    """Lists the recordings below a folder; hidden files and folders are left out, symbolic links followed.

    A transcript is a file of the same stem in the same folder, with a suffix of `transcripts.READERS`; recordings of
    one stem share it.

    Args:
        voices: The folder of recordings.

    Raises:
        UsageError: if the folder is missing, can't be listed or holds no recording.
    """
    ignored: Counter[str] = Counter()
    recordings = sorted(walk(voices, ignored), key=lambda recording: recording.id)
    return Scan(tuple(recordings), dict(ignored.most_common()))


def check_folder(voices: Path) -> None:
    """Checks that there is a folder of recordings.

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


def walk(voices: Path, ignored: Counter[str]) -> Iterator[Recording]:
    """Yields what `scan` lists, one folder after the other, so that no more than a folder is held in memory.

    Args:
        voices: The folder of recordings.
        ignored: Counts what is neither a recording nor its transcript, by lower-case suffix.

    Raises:
        UsageError: as `scan`; at the end, if there was no recording.
    """
    check_folder(voices)
    only_speaker = id_of(voices.resolve().name)
    found_any = False
    for folder, names in _folders(voices, ignored):
        group, speaker = _owner(id_of(folder), only_speaker)
        prefix = f"{folder}/" if folder else ""
        audio, transcripts = _sort_out(names, ignored)
        for name, stem in audio:
            found_any = True
            transcript = transcripts.get(stem)
            beside = id_of(f"{prefix}{transcript}") if transcript else ""
            yield Recording(id_of(f"{prefix}{name}"), group, speaker, "", beside)
    if not found_any:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        raise UsageError(
            f"`{voices}` must hold recordings ({' '.join(sorted(SUFFIXES))}), but holds {kinds or 'no files'}."
            " Give the folder above the groups or speakers."
        )


def _owner(folder: str, only_speaker: str) -> tuple[str, str]:
    """Returns group and speaker of the files in a folder, given below the voices folder."""
    parts = folder.split("/", 2)
    if len(parts) > 1:
        return parts[0], parts[1]
    return "", folder or only_speaker


def _split(name: str) -> tuple[str, str]:
    stem, _, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if stem else (name, "")


def _sort_out(names: list[str], ignored: Counter[str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Parts a folder's names into recordings and the best transcript per stem, counting the rest in `ignored`.

    Returns:
        Name and stem of each recording, and the name of the transcript by stem.
    """
    audio = []
    ranked: dict[str, tuple[int, str]] = {}
    rest = []
    for name in sorted(names):
        stem, suffix = _split(name)
        if suffix in SUFFIXES:
            audio.append((name, stem))
        elif suffix in _RANK:
            rest.append((stem, suffix))
            candidate = (_RANK[suffix], name)
            ranked[stem] = min(ranked.get(stem, candidate), candidate)
        else:
            ignored[suffix] += 1
    stems = {stem for _, stem in audio}
    ignored.update(suffix for stem, suffix in rest if stem not in stems)
    return audio, {stem: name for stem, (_, name) in ranked.items()}


def _folders(voices: Path, ignored: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder below `voices`, "" for itself, with the names of its files.

    A link to a folder is followed unless it leads back to one of the folders above it.
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
    """Whether an entry is a file, or a link that leads nowhere: a recording that will be rejected."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
