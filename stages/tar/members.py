"""Opens recordings, also those inside tar files, which are read where they lie.

A path such as `DE/DE-B000000.tar/DE_B00000_S00000_W000001.mp3` names a member of a tar file. Nothing is unpacked: a
member is a range of the tar's bytes. Compressed tar files have no such ranges and aren't read.

Source of the format: POSIX.1-2001, pax; GNU tar manual, section D.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError
from stages.remote import files as remote
from stages.remote.stores import is_url

SUFFIX = ".tar"
_BLOCK = 512
_FILES = frozenset({b"0", b"\0", b"7"})
"""Type flags of regular files."""
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x9d")
"""The first bytes of gzip, bzip2, xz, zstd, lz4 and compress."""
_LARGEST_HEADER = 1 << 20
"""Bytes of an extended header; a longer one is taken for damage."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a tar file."""

    name: str
    """Its path in the tar, `/`-separated, without `.` and without a leading `/`."""
    offset: int
    """Bytes before its content."""
    size: int
    """Bytes that its header announces; a tar that was broken off holds fewer."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a tar file."""

    members: tuple[Member, ...]
    """The regular files; of several with one name, the last."""
    damaged: int
    """Bytes between members that are no header: those of members whose header is damaged."""
    cut: bool
    """Whether its end is missing: the empty blocks after the last member."""


def split_path(path: Path | str) -> tuple[str, str] | None:
    """Splits the path of a member into the tar file's path and the member's name; None for any other path."""
    text = os.fspath(path)
    found = text.lower().find(f"{SUFFIX}/", text.find("://") + 3 if is_url(text) else 0)
    while found >= 0:
        end = found + len(SUFFIX)
        if _is_own_file(text[:end]):
            return text[:end], text[end + 1 :]
        found = text.lower().find(f"{SUFFIX}/", end)
    return None


def open_file(path: Path | str) -> BinaryIO:
    """Opens a file or a member of a tar file for reading, seekable.

    Raises:
        OSError: as `open`; `FileNotFoundError` if the tar has no such member.
    """
    inside = split_path(path)
    if inside is None:
        return remote.open_range(os.fspath(path)) if is_url(path) else open(path, "rb")  # noqa: PTH123
    offset, size = _place(*inside)
    if is_url(path):
        return remote.open_range(inside[0], offset, size)
    return io.BufferedReader(_Range(inside, offset, size))


def member_file(path: Path | str) -> BinaryIO | None:
    """Opens what libraries can't open themselves, whole: a member of a tar file, or a file in a store.

    Returns:
        The file, as `open_file` does; None for a file of its own on a disk.

    Raises:
        OSError: as `open_file`.
        AudioError: if it is in a store, and gone or changed.
    """
    inside = split_path(path)
    if is_url(path):
        return remote.open_whole(inside[0], *_place(*inside)) if inside else remote.open_whole(os.fspath(path))
    return None if inside is None else open_file(path)


def part_file(path: Path | str) -> BinaryIO | None:
    """Opens the same as `member_file`, for reading some of it: of a file in a store only that is fetched."""
    return open_file(path) if is_url(path) or split_path(path) is not None else None


def read_bytes(path: Path) -> bytes:
    """Reads a whole file or member.

    Raises:
        OSError: as `open_file`, and if the tar ends before the member does.
    """
    with open_file(path) as file:
        content = file.read()
    if (inside := split_path(path)) and len(content) < (size := _place(*inside)[1]):
        raise OSError(None, f"its tar file ends after {len(content):,} of its {size:,} bytes", str(path))
    return content


def digest(path: Path | str) -> str:
    """Returns the SHA-256 of a file's or a member's content, as far as it is there.

    Raises:
        OSError: as `open_file`.
    """
    if is_url(path) and (digest := _digest_in_store(os.fspath(path))):
        return digest
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _digest_in_store(url: str) -> str:
    """Returns the digest of a file in a store; of a member from its tar's, its place and its length."""
    inside = split_path(url)
    if inside is None:
        return remote.digest(url)
    offset, size = _place(*inside)
    tar = remote.need(inside[0])
    return hashlib.sha256(f"member {tar.tag} {offset} {size}".encode()).hexdigest() if tar.tag else ""


def is_file(path: Path | str) -> bool:
    """Returns whether a path names a file or a member."""
    if _is_own_file(os.fspath(path)):
        return True
    inside = split_path(path)
    return inside is not None and _find(_places(*_stamped(inside[0])), inside[1]) is not None


def _is_own_file(path: str) -> bool:
    """Returns whether a path names a file that isn't a member."""
    if is_url(path):
        return remote.find(path) is not None
    return os.path.isfile(path)  # noqa: PTH113 (pathlib raises on names that are too long; called for each file)


def is_folder(path: str) -> bool:
    """Returns whether a path names a folder, on a disk or in a store."""
    return remote.is_folder(path) if is_url(path) else os.path.isdir(path)  # noqa: PTH112


def stamp(path: Path | str) -> tuple[int, int]:
    """Returns size in bytes and modification time in ns; those of a member change with its tar file."""
    inside = split_path(path)
    _, size, changed_ns = _stamped(os.fspath(path) if inside is None else inside[0])
    return (size if inside is None else _place(*inside)[1]), changed_ns


def position(path: Path | str) -> tuple[str, int, int] | None:
    """Returns a member's tar file, its first byte and its length in bytes; None for a path that is no member.

    Raises:
        OSError: if the tar can't be read or has no such member.
    """
    inside = split_path(path)
    return None if inside is None else (inside[0], *_place(*inside))


def is_compressed(path: Path | str) -> bool:
    """Returns whether a file begins as a compressed one does, whatever its name; False if it can't be read."""
    try:
        with open_file(path) as file:
            return file.read(6).startswith(_COMPRESSED)
    except OSError:
        return False


def check_whole(path: Path) -> None:
    """Raises `AudioError` if a path is a member of a tar that ends before the member does."""
    found = position(path)
    if found and found[1] + found[2] > (length := _stamped(found[0])[1]):
        held = max(length - found[1], 0)
        raise AudioError(
            f"`{path}` must hold {found[2]:,} bytes, but `{found[0]}` ends after {held:,} of them. Copy the tar again.",
            "Truncated",
        )


def contents(tar: Path | str) -> Contents:
    """Lists a tar file. Skips what is damaged: the members around it are found by their own headers.

    Raises:
        OSError: if the file can't be read.
    """
    if is_url(tar) and (noted := remote.contents(os.fspath(tar))):
        return _from_note(noted)
    found: dict[str, Member] = {}
    damaged = 0
    with remote.open_range(os.fspath(tar), kept=False) if is_url(tar) else open(tar, "rb") as file:  # noqa: PTH123
        length = file.seek(0, os.SEEK_END)
        file.seek(max(length - _BLOCK, 0))
        cut = any(file.read(_BLOCK))
        for member in _members(file, length):
            if isinstance(member, int):
                damaged += member
            else:
                found.pop(member.name, None)
                found[member.name] = member
    all_of_it = Contents(tuple(found.values()), damaged, cut)
    if is_url(tar):  # to find them, the whole tar is read: this is done once, and not by every worker
        remote.note_contents(os.fspath(tar), _to_note(all_of_it))
    return all_of_it


def _to_note(contents: Contents) -> bytes:
    members = [(os.fsencode(one.name).hex(), one.offset, one.size) for one in contents.members]
    return json.dumps([members, contents.damaged, contents.cut]).encode()


def _from_note(note: bytes) -> Contents:
    members, damaged, cut = json.loads(note)
    return Contents(tuple(Member(os.fsdecode(bytes.fromhex(name)), *place) for name, *place in members), damaged, cut)


def _members(file: BinaryIO, length: int) -> Iterator[Member | int]:
    """Yields the regular files of a tar, and the numbers of bytes that should be a header and aren't."""
    at, known = 0, dict[str, bytes]()
    while at + _BLOCK <= length:
        file.seek(at)
        block = file.read(_BLOCK)
        if not _is_header(block):
            if block.count(0) != _BLOCK:
                yield _BLOCK
                known = {}
            at += _BLOCK
            continue
        told = known.get("size", b"")
        size, kind = int(told) if told.isdigit() else _number(block[124:136]), block[156:157]
        start = at + _BLOCK
        at = start + -(-size // _BLOCK) * _BLOCK
        if kind in {b"L", b"x"} and size <= _LARGEST_HEADER:
            content = file.read(size)
            known |= {"path": content.rstrip(b"\0")} if kind == b"L" else _pax(content)
            continue
        if kind in _FILES and not any(key.startswith("GNU.sparse") for key in known):
            name = known.get("path") or _own_name(block)
            parts = [part for part in os.fsdecode(name).split("/") if part not in {"", "."}]
            if parts and ".." not in parts and not name.endswith(b"/"):
                yield Member("/".join(parts), start, size)
        if kind not in {b"K", b"g"}:
            known = {}


def _is_header(block: bytes) -> bool:
    """Returns whether a block holds the checksum of its own bytes, as each header does."""
    try:
        told = int(block[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    # the checksum's own eight bytes count as spaces
    return told == sum(block) - sum(block[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    """Reads a number of a header: octal digits, or base 256 (GNU)."""
    if field[:1] in {b"\x80", b"\xff"}:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return 0


def _own_name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _pax(content: bytes) -> dict[str, bytes]:
    """Reads the records `length key=value` of an extended header."""
    found: dict[str, bytes] = {}
    while content:
        length, _, rest = content.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(content):
            break
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        if key in {b"path", b"size"} or key.startswith(b"GNU.sparse"):
            found[key.decode("utf-8", "replace")] = value
        content = content[int(length) :]
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the members of a tar lie, in 24 bytes each: names are kept as 64-bit hashes."""

    keys: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def _key(name: str) -> int:
    return int.from_bytes(blake2b(os.fsencode(name), digest_size=8).digest(), "big")


@lru_cache(maxsize=4096)
def _places(tar: str, _size: int, _mtime_ns: int) -> _Places:
    """Indexes a tar file, once as long as it doesn't change."""
    rows = sorted((_key(member.name), member.offset, member.size) for member in contents(tar).members)
    keys = np.array([key for key, _, _ in rows], np.uint64)
    return _Places(keys, np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], np.int64))


def _stamped(tar: str) -> tuple[str, int, int]:
    if is_url(tar):
        return tar, *remote.stamp(tar)
    stat = os.stat(tar)  # noqa: PTH116
    return tar, stat.st_size, stat.st_mtime_ns


def _find(places: _Places, name: str) -> tuple[int, int] | None:
    key = np.uint64(_key(name))
    at = int(np.searchsorted(places.keys, key))
    if at == len(places.keys) or places.keys[at] != key:
        return None
    return int(places.offsets[at]), int(places.sizes[at])


def _place(tar: str, name: str) -> tuple[int, int]:
    found = _find(_places(*_stamped(tar)), name)
    if found is None:
        raise FileNotFoundError(2, "No such member", f"{tar}/{name}")
    return found


class _Range(io.RawIOBase):
    """A range of a file's bytes, as a file of its own."""

    def __init__(self, place: tuple[str, str], offset: int, size: int) -> None:
        self._file = open(place[0], "rb", buffering=0)  # noqa: PTH123, SIM115 (closed by `close`)
        self._offset, self._size, self._at = offset, size, 0
        self.name = "/".join(place)
        """Its suffix helps PyAV to tell formats apart."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(self._size - self._at, 0))
        self._file.seek(self._offset + self._at)
        count = self._file.readinto(memoryview(buffer)[:wanted]) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
