"""Finds the recordings of a voices folder, and the transcript or the table row of each.

If no table names the speaker, the folders do: `VOICES/<group>/<speaker>/…/file`, `VOICES/<speaker>/file` (no group), or
`VOICES/file` (one speaker, named as the folder). Nothing is written, and only tables are opened.
"""

import logging
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from stages.audio.files import RAW_SUFFIXES, SUFFIXES
from stages.corpora.corpus import Corpus
from stages.corpora.unread import Unread
from stages.errors import UsageError
from stages.ids import id_of
from stages.records import Recording
from stages.remote import folders as remote_folders
from stages.remote.stores import is_url
from stages.tar import members
from stages.transcripts.table import READERS

_log = logging.getLogger(__name__)

_RANK = {suffix: rank for rank, suffix in enumerate(READERS)}


@dataclass(frozen=True, slots=True)
class Scan:
    """The contents of a voices folder."""

    recordings: tuple[Recording, ...]
    """Sorted by id, with empty digests."""
    ignored: dict[str, int]
    """Number of files that are neither recordings nor their transcripts, by lower-case suffix; most frequent first."""


def scan(voices: Path, layout: str = "auto", columns: Mapping[str, str] | None = None) -> Scan:
    """Lists the recordings below a folder. Skips hidden files and folders; follows symbolic links.

    A recording's transcript is the file with the same stem in the same folder and a suffix in `READERS`. Recordings
    with the same stem share it. If there is none, it is the one with the recording's whole name (`talk.wav.json`), or
    with a language behind the stem (`talk.en.vtt`); of several languages none, unless one is marked as spoken
    (`talk.en-orig.vtt`). A transcript is preferred to a table's row.

    Args:
        voices: The folder of recordings.
        layout: A name in `LAYOUTS`; `auto` reads the tables of every layout.
        columns: `transcribe.columns`.

    Raises:
        UsageError: if the folder is missing, can't be listed or holds no recording; if a table can't be read or its
            columns can't be told; if no table here is of the named layout or has the named columns.
    """
    ignored: Counter[str] = Counter()
    recordings = sorted(walk(voices, ignored, layout, columns), key=lambda recording: recording.id)
    return Scan(tuple(recordings), dict(ignored.most_common()))


def check_folder(voices: Path) -> None:
    """Checks that the folder of recordings exists and can be listed.

    Raises:
        UsageError: if it is missing, a file, or can't be listed.
    """
    if is_url(voices):
        remote_folders.check_folder(str(voices))
        return
    if not voices.is_dir():
        found = "a file" if voices.exists() else "not there"
        raise UsageError(f"`{voices}` must be a folder of recordings, but is {found}. Give the path of one.")
    try:
        os.scandir(voices).close()
    except OSError as error:
        raise _unlistable(voices, error) from error


def walk(
    voices: Path,
    ignored: Counter[str],
    layout: str = "auto",
    columns: Mapping[str, str] | None = None,
    *,
    raw: bool = False,
) -> Iterator[Recording]:
    """Yields the recordings that `scan` lists, folder by folder: only one folder is held in memory.

    Args:
        voices: The folder of recordings.
        ignored: Receives the number of other files, by lower-case suffix.
        layout: As for `scan`.
        columns: As for `scan`.
        raw: Whether files without a header are recordings, since their format is told.

    Raises:
        UsageError: as `scan`; that there is no recording is raised at the end.
    """
    check_folder(voices)
    unread = Unread(voices)
    with Corpus(voices, layout, columns) as corpus:
        if layout != "voices":
            corpus.gather(folders(voices, Counter(), tars="listed"))
        found = False
        for recording in _walk(voices, ignored, corpus, SUFFIXES | RAW_SUFFIXES if raw else SUFFIXES, unread):
            found = True
            yield recording
    lines = unread.lines()
    if not found and lines:
        raise UsageError(f"`{voices}` must hold recordings that can be read, but holds none: {' '.join(lines)}")
    for line in lines:
        _log.warning("%s", line)
    if not found:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        raise UsageError(
            f"`{voices}` must hold recordings ({' '.join(sorted(SUFFIXES))}), but holds {kinds or 'no files'}."
            " Give the folder above the groups or speakers."
        )


def _walk(
    voices: Path, ignored: Counter[str], corpus: Corpus, suffixes: frozenset[str], unread: Unread
) -> Iterator[Recording]:
    owner = partial(owner_of, only_speaker=id_of(voices.resolve().name))
    for path, names in folders(voices, ignored):
        group, speaker = owner(id_of(path))
        prefix = f"{path}/" if path else ""
        audio, transcripts, rest = _sort_out(names, suffixes)
        others = [(name, suffix) for name, suffix in rest if not corpus.knows(id_of(f"{prefix}{name}"))]
        ignored.update(suffix for _, suffix in others)
        for name, _ in others:
            unread.consider(f"{prefix}{name}")
        for name, stem in audio:
            item_id = id_of(f"{prefix}{name}")
            in_table = corpus.recording(item_id, owner)
            beside = id_of(f"{prefix}{transcripts[stem]}") if stem in transcripts else ""
            if in_table is not None:
                # in a tar, what lies beside a recording is its row, or data about it
                in_tar = f"{members.SUFFIX}/" in item_id.lower()
                yield replace(in_table, transcript=beside, told="") if beside and not in_tar else in_table
            elif not beside and corpus.left_out(item_id):
                ignored[f"{_split(name)[1]} that no table names"] += 1
            else:
                yield Recording(item_id, group, speaker, "", beside)
    yield from corpus.missing(owner)


def owner_of(folder: str, only_speaker: str) -> tuple[str, str]:
    """Returns the group and the speaker of the files in a folder. A tar file counts as the folder that holds it.

    Args:
        folder: Its id below the voices folder; "" for the voices folder itself.
        only_speaker: The speaker of files directly in the voices folder.
    """
    parts = [part for part in folder.split("/") if not part.lower().endswith(members.SUFFIX)]
    if len(parts) > 1:
        return parts[0], parts[1]
    return "", "".join(parts) or only_speaker


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
    texts: list[tuple[str, str, str]] = []
    rest: list[tuple[str, str]] = []
    for name in sorted(names):
        stem, suffix = _split(name)
        if suffix in suffixes:
            audio.append((name, stem))
        elif suffix in _RANK:
            texts.append((name, stem, suffix))
        else:
            rest.append((name, suffix))
    owners = {stem: stem for _, stem in audio} | dict(audio)
    ranked: dict[str, tuple[int, int, str]] = {}
    translated: dict[str, list[tuple[str, str, str]]] = {}
    for name, stem, suffix in texts:
        if stem in owners:
            candidate = (int(owners[stem] != stem), _RANK[suffix], name)
            ranked[owners[stem]] = min(ranked.get(owners[stem], candidate), candidate)
        elif (base := stem.rpartition(".")[0]) in owners and _is_language(tag := stem[len(base) + 1 :]):
            translated.setdefault(owners[base], []).append((tag.lower(), name, suffix))
        else:
            rest.append((name, suffix))
    for stem, found in translated.items():
        spoken = [one for one in found if one[0].endswith("-orig")] or found
        if stem not in ranked and len({tag.partition("-")[0] for tag, _, _ in spoken}) == 1:
            ranked[stem] = min((2, _RANK[suffix], name) for _, name, suffix in spoken)
        elif stem not in ranked:
            rest += [(name, f"{suffix} in several languages") for _, name, suffix in found]
    return audio, {stem: name for stem, (_, _, name) in ranked.items()}, rest


_TAG = re.compile(r"([a-zA-Z]{2,3})(?:-[a-zA-Z0-9]{2,8})*")
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es
et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu iw ja ji jv jw ka
kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn
no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te
tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
eng deu ger fra fre spa ita por jpn zho chi cmn yue kor swe nld dut pol rus ukr ces cze dan nor nob nno fin hun ron rum
tur ell gre hin ara heb vie tha ind cat fil ben tam tel mar urd fas
"""
_LANGUAGES = frozenset(_CODES.split())
"""Codes of languages that names of transcripts hold, also of those that aren't supported."""


def _is_language(tag: str) -> bool:
    """Returns whether a part of a name is a language, as in `talk.en.vtt`, `talk.pt-BR.srt`, `talk.en-orig.json3`."""
    found = _TAG.fullmatch(tag)
    return found is not None and found[1].lower() in _LANGUAGES


def language_in(transcript: str, recording: str) -> str:
    """Returns the language that a transcript's name tells, as in `talk.en.vtt` beside `talk.mp3`; "" if none."""
    stem, name = _split(posixpath.basename(transcript))[0], posixpath.basename(recording)
    if stem in {name, _split(name)[0]}:
        return ""
    tag = stem.rpartition(".")[2]
    return tag.partition("-")[0] if _is_language(tag) else ""


def folders(
    voices: Path, ignored: Counter[str], *, tars: Literal["opened", "listed", "closed"] = "opened"
) -> Iterator[tuple[str, list[str]]]:
    """Yields `voices` (as "") and each folder below it, with the names of its files. Skips hidden ones.

    Follows a link to a folder unless it leads back to a folder above it.

    Args:
        voices: The folder of recordings.
        ignored: Receives the number of entries that are neither files nor folders.
        tars: `opened`: a tar file is a folder too, as are those inside it, and its damage is logged; `listed`:
            likewise, but tar files are also among the files and nothing is logged; `closed`: they are only files.

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
                is_tar = tars != "closed" and entry.name.lower().endswith(members.SUFFIX)
                tar = _names_inside(entry.path, tell=tars == "opened") if is_tar else {}
                yield from ((f"{below}/{inside}" if inside else below, inner) for inside, inner in tar.items())
                names += [entry.name] if tars == "listed" or not tar else []
            elif not entry.is_dir():
                ignored["no file"] += 1
            else:
                real = os.path.realpath(entry.path) if entry.is_symlink() else f"{above[-1]}/{entry.name}"
                if real not in above:
                    open_folders.append((below, (*above, real)))
        yield folder, names


def _names_inside(tar: str, *, tell: bool) -> dict[str, list[str]]:
    """Returns the names of the files in a tar file by folder inside it, "" for its top; {} if it holds none.

    Hidden ones are left out. Damage costs the members that it is in; it is logged if `tell`.
    """
    try:
        found = members.contents(tar)
    except OSError as error:
        if tell:
            _log.warning("`%s` can't be read: %s. Make it readable or move it away.", tar, error.strerror)
        return {}
    if not found.members and members.is_compressed(tar):
        return {}  # told with the other compressed ones
    if tell and (found.damaged or found.cut or not found.members):
        lost = ["its end is missing"] if found.cut else []
        lost += [f"{found.damaged:,} bytes between its files are no tar headers"] if found.damaged else []
        held = f"{len(found.members):,} files in it can be read" if found.members else "it holds no files"
        _log.warning("`%s` is damaged: %s. Copy it again.", tar, "; ".join([*lost, held]))
    names: dict[str, list[str]] = {}
    for member in found.members:
        folder, _, name = member.name.rpartition("/")
        if not name.startswith(".") and not f"/{folder}".count("/."):
            names.setdefault(folder, []).append(name)
    return names


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if is_url(folder):
        return remote_folders.entries(str(folder))  # type: ignore[return-value]
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
