"""Finding the recordings of a voices folder, and what tells of them: a transcript beside each, or a corpus's tables.

Where no table says whose a recording is, its depth does: `VOICES/<group>/<speaker>/…/file`, `VOICES/<speaker>/file` (no
group), or `VOICES/file` (one speaker, named as the folder). Nothing is changed, and nothing but the tables opened.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stages.audio.files import SUFFIXES
from stages.corpora.corpus import Corpus
from stages.errors import UsageError
from stages.ids import id_of
from stages.records import Recording
from stages.transcripts.table import READERS

_RANK = {suffix: rank for rank, suffix in enumerate(READERS)}


@dataclass(frozen=True, slots=True)
class Scan:
    """What a voices folder holds."""

    recordings: tuple[Recording, ...]
    """Sorted by id; their digests are still empty."""
    ignored: dict[str, int]
    """Files that are neither recordings nor their transcripts, by lower-case suffix, most frequent first."""


def scan(voices: Path, layout: str = "auto") -> Scan:
    """Lists the recordings below a folder; hidden files and folders are left out, symbolic links followed.

    A transcript is a file of the same stem in the same folder, with a suffix of `transcripts.READERS`; recordings of
    one stem share it. It goes before what a table tells.

    Args:
        voices: The folder of recordings.
        layout: A row of `layouts.LAYOUTS`; `auto` for whichever are there.

    Raises:
        UsageError: if the folder is missing, can't be listed or holds no recording, if a table can't be read, or if
            there is none of the layout that is named.
    """
    ignored: Counter[str] = Counter()
    recordings = sorted(walk(voices, ignored, layout), key=lambda recording: recording.id)
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


def walk(voices: Path, ignored: Counter[str], layout: str = "auto") -> Iterator[Recording]:
    """Yields what `scan` lists, one folder after the other, so that no more than a folder is held in memory.

    Args:
        voices: The folder of recordings.
        ignored: Counts what is neither a recording nor its transcript, by lower-case suffix.
        layout: As for `scan`.

    Raises:
        UsageError: as `scan`; at the end, if there was no recording.
    """
    check_folder(voices)
    with Corpus(voices, layout) as corpus:
        if layout != "voices":
            corpus.gather(folders(voices, Counter()))
        found = False
        for recording in _walk(voices, ignored, corpus):
            found = True
            yield recording
    if not found:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        raise UsageError(
            f"`{voices}` must hold recordings ({' '.join(sorted(SUFFIXES))}), but holds {kinds or 'no files'}."
            " Give the folder above the groups or speakers."
        )


def _walk(voices: Path, ignored: Counter[str], corpus: Corpus) -> Iterator[Recording]:
    whose = partial(owner_of, only_speaker=id_of(voices.resolve().name))
    for path, names in folders(voices, ignored):
        owner = whose(id_of(path))
        prefix = f"{path}/" if path else ""
        audio, transcripts, rest = _sort_out(names)
        ignored.update(suffix for name, suffix in rest if not corpus.knows(id_of(f"{prefix}{name}")))
        for name, stem in audio:
            item_id = id_of(f"{prefix}{name}")
            told = corpus.recording(item_id, whose)
            beside = id_of(f"{prefix}{transcripts[stem]}") if stem in transcripts else ""
            if told is not None:
                yield replace(told, transcript=beside, told="") if beside else told
            elif not beside and corpus.left_out(item_id):
                ignored[f"{_split(name)[1]} that no table names"] += 1
            else:
                yield Recording(item_id, *owner, "", beside)
    yield from corpus.missing(whose)


def owner_of(folder: str, only_speaker: str) -> tuple[str, str]:
    """Returns group and speaker of the files in a folder, given by its id below the voices folder.

    Args:
        folder: "" for the voices folder itself.
        only_speaker: Whose the files of that one are.
    """
    parts = folder.split("/", 2)
    if len(parts) > 1:
        return parts[0], parts[1]
    return "", folder or only_speaker


def _split(name: str) -> tuple[str, str]:
    stem, _, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if stem else (name, "")


def _sort_out(names: list[str]) -> tuple[list[tuple[str, str]], dict[str, str], list[tuple[str, str]]]:
    """Parts a folder's names into recordings, the best transcript per stem, and the rest.

    Returns:
        Name and stem of each recording, the name of the transcript by stem, and name and suffix of each other file.
    """
    audio: list[tuple[str, str]] = []
    ranked: dict[str, tuple[int, str]] = {}
    texts: list[tuple[str, str, str]] = []
    rest: list[tuple[str, str]] = []
    for name in sorted(names):
        stem, suffix = _split(name)
        if suffix in SUFFIXES:
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
    """Yields each folder below `voices`, "" for itself, with the names of its files; what is hidden is left out.

    A link to a folder is followed unless it leads back to one of the folders above it.

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
    """Whether an entry is a file, or a link that leads nowhere: a recording that will be rejected."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
