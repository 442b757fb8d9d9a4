"""Stamps of recordings in a store, in place of those that a disk keeps."""

from hashlib import sha256

from stages.remote import files
from stages.tar import members


def remote_stamp(url: str) -> tuple[int, int, int, int] | None:
    """Returns what changes with a file or a member of a tar file in a store; None if it is missing.

    Returns:
        A hash of its URL and place, its size in bytes, a hash of the store's mark of its content or, without one, the
        time of its last change; and 1 if there was neither, in which case no two stamps are the same.
    """
    try:
        place = members.position(url)
        found = files.find(place[0] if place else url)
    except OSError:
        return None
    if found is None:
        return None
    _, offset, size = place or ("", 0, found.size)
    inode = int.from_bytes(sha256(f"{found.key} {offset}".encode()).digest()[:8], "big") >> 1
    unknown = not found.tag and not found.modified_ns
    return inode, size, files.stamp(place[0] if place else url)[1], files.never_again() if unknown else 0
