"""Hashes the names and stamps of all files below a folder: equal hashes mean that no file came, went or changed.

A file's stamp is its inode, size and times, as in `pipeline.dataset.digests`, and is trusted as much as there. Times of
folders aren't used: they don't tell of files that were written in place. Several processes share the folders, since
asking for a million stamps keeps a core busy for seconds. This file imports the standard library only, because each of
these processes starts from it.
"""

import hashlib
import json
import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress, islice
from operator import attrgetter, itemgetter, not_
from select import select
from typing import IO

_ALONE = 20_000
"""Files to look at before other processes are started: they take as long to start as these to look at."""
_NAME = attrgetter("name")
_STAMP = attrgetter("st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
_CHANGED = itemgetter(3)
_ABSENT = (0, 0, 0, 0)
_AT_A_TIME = 512
"""Entries of a folder that are looked at together."""

_Look = tuple[str, int, list[list[str]]]
"""The hash of a folder, the number of its files, and the name of each folder in it, with the real path of a link."""
_Folder = tuple[str, tuple[str, ...]]
"""A folder below the first one, and the real paths of the folders above it and of itself."""


def listing_digest(root: str, processes: int) -> str | None:
    """Hashes the names and stamps of all files below a folder, without hidden ones; follows links as the scan does.

    Args:
        root: The folder.
        processes: Processes to share the work, if there is enough.

    Returns:
        The hash; None if a folder can't be listed.
    """
    looks: dict[str, str] = {}
    waiting: list[_Folder] = [("", (os.path.realpath(root),))]
    seen = 0
    try:
        while waiting and (seen < _ALONE or processes < 2):
            folder = waiting.pop()
            look = _look(os.path.join(root, folder[0]))  # noqa: PTH118
            seen += look[1]
            waiting += _take(looks, folder, look)
        if waiting:
            with _helpers(processes) as helpers:
                _share(root, waiting, looks, helpers)
    except OSError:
        return None
    return hashlib.sha256(json.dumps(sorted(looks.items())).encode()).hexdigest()


def sources_digest() -> str:
    """Hashes the sources of the stages: another version of what lists recordings may find others in the same folder."""
    stages = os.path.join(os.path.dirname(__file__), "..", "..", "stages")  # noqa: PTH118, PTH120
    content = hashlib.sha256()
    for folder, _, names in sorted(os.walk(stages)):
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123
                    content.update(file.read())
    return content.hexdigest()


def _take(looks: dict[str, str], folder: _Folder, look: _Look) -> Iterator[_Folder]:
    """Keeps what was seen of a folder; yields the folders in it, but not a link back to a folder above it."""
    path, above = folder
    looks[path], _, inside = look
    for name, linked in inside:
        real = linked or f"{above[-1]}/{name}"
        if real not in above:
            yield f"{path}/{name}" if path else name, (*above, real)


def folder_digest(folder: str) -> tuple[str, int]:
    """Hashes the names and stamps of the files in one folder, without hidden ones, and not of those in its folders.

    Args:
        folder: The folder.

    Returns:
        The hash, and the latest time of a change of a file's status in ns; "" and 0 if the folder can't be listed.
    """
    content, newest = hashlib.sha256(), 0
    try:
        for names, stamps, _ in _listed(folder):
            content.update(marshal.dumps((names, stamps), 2))
            newest = max((newest, *map(_CHANGED, stamps)))
    except OSError:
        return "", 0
    return content.hexdigest(), newest


def _look(folder: str) -> _Look:
    content, count, inside = hashlib.sha256(), 0, list[list[str]]()
    for names, stamps, folders in _listed(folder):
        # Version 2 of marshal has no references, so equal values give equal bytes; later versions don't promise that.
        content.update(marshal.dumps((names, stamps), 2))
        count += len(names)
        inside += ([name, os.path.realpath(os.path.join(folder, name)) if link else ""] for name, link in folders)  # noqa: PTH118
    inside.sort()
    content.update(marshal.dumps(inside, 2))
    return content.hexdigest(), count, inside


_Listed = tuple[list[str], list[tuple[int, int, int, int]], list[tuple[str, bool]]]
"""The names and stamps of some files of a folder, and the names of some folders in it and whether they are links."""


def _listed(folder: str) -> Iterator[_Listed]:
    """Yields what is in a folder, in the order in which the system lists it, some at a time.

    Nearly all of it runs in C: a statement a file would double the time of a million. Entries, names and stamps of all
    files at once would take megabytes where a folder has thousands.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # so that the kernel needn't go down the path for each file
    try:
        with os.scandir(opened) as found:
            # Hidden ones are left out first, so that they don't change who is listed together.
            shown = (entry for entry in found if entry.name[0] != ".")
            while entries := list(islice(shown, _AT_A_TIME)):
                are_folders = list(map(os.DirEntry.is_dir, entries))
                files = list(compress(entries, map(not_, are_folders)))
                try:
                    stamps = list(map(_STAMP, map(os.DirEntry.stat, files)))
                except OSError:
                    stamps = list(map(_stamp, files))
                folders = [(entry.name, entry.is_symlink()) for entry in compress(entries, are_folders)]
                yield list(map(_NAME, files)), stamps, folders
    finally:
        os.close(opened)


def _stamp(entry: "os.DirEntry[str]") -> tuple[int, int, int, int]:
    try:
        stamp: tuple[int, int, int, int] = _STAMP(entry.stat())
    except OSError:  # a link to nothing, or a file that has just gone
        return _ABSENT
    return stamp


class _Helper:
    """A process that looks at one folder after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin
        assert self._process.stdout
        self._questions: IO[bytes] = self._process.stdin
        self.answers: IO[bytes] = self._process.stdout
        self.folder: _Folder = ("", ())
        """The folder it is looking at."""

    def ask(self, root: str, folder: _Folder) -> None:
        self.folder = folder
        path = os.path.join(root, folder[0])  # noqa: PTH118
        self._questions.write(json.dumps(path).encode() + b"\n")
        self._questions.flush()

    def answer(self) -> _Look:
        """Returns what it saw; raises `OSError` if it could not list the folder, or has died."""
        line = self.answers.readline()
        if not (found := json.loads(line or b"null")):
            raise OSError(f"`{self.folder[0]}` can't be listed")
        digest, files, inside = found
        return digest, files, inside

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._questions.close()
        self.answers.close()


@contextmanager
def _helpers(count: int) -> Iterator[list[_Helper]]:
    helpers: list[_Helper] = []
    try:
        helpers += (_Helper() for _ in range(count))
        yield helpers
    finally:
        for helper in helpers:
            helper.stop()


def _share(root: str, waiting: list[_Folder], looks: dict[str, str], helpers: list[_Helper]) -> None:
    """Looks at the folders that wait, and at those in them, with several processes."""
    idle, busy = list(helpers), dict[IO[bytes], _Helper]()
    while waiting or busy:
        while waiting and idle:
            helper = idle.pop()
            helper.ask(root, waiting.pop())
            busy[helper.answers] = helper
        for answers in select(list(busy), [], [])[0]:
            helper = busy.pop(answers)
            waiting += _take(looks, helper.folder, helper.answer())
            idle.append(helper)


def _help() -> None:
    """Answers questions until there are no more: the work of a `_Helper`'s process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the parent stops its helpers
    for line in sys.stdin.buffer:
        try:
            look = _look(json.loads(line))
        except OSError:
            look = None
        sys.stdout.write(json.dumps(look) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _help()
