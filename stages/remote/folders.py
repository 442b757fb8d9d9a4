"""Folders of a store, listed as `os.scandir` lists those of a disk."""

from dataclasses import dataclass

from stages.remote import files


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a folder of a store."""

    name: str
    path: str
    """Its URL."""
    folder: bool

    def is_file(self) -> bool:
        """Returns whether it is a file."""
        return not self.folder

    def is_dir(self) -> bool:
        """Returns whether it is a folder."""
        return self.folder

    def is_symlink(self) -> bool:
        """Returns False: a store has no links."""
        return False


def entries(folder: str) -> list[Entry]:
    """Returns what lies directly in a folder, without hidden files and folders."""
    return [Entry(name, f"{folder}/{name}", inner) for name, inner in files.names_in(folder) if name[:1] != "."]


def check_folder(url: str) -> None:
    """Checks that a folder is there and can be listed; asks nothing while it is listed.

    Raises:
        UsageError: if it isn't, or can't be.
    """
    if not files.is_listed(url):
        files.check_folder(url)
