"""Web servers that list their folders as pages of links, as nginx, Apache and many archives do."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from stages.remote.errors import steadily
from stages.remote.stores import FsspecStore, Object

_AT_A_TIME = 16
"""Files that are asked for at a time."""


class HttpStore(FsspecStore):
    """A web server. Keys are as people write them; in requests they are quoted.

    Args:
        file_system: fsspec's, which takes URLs that are quoted already.
        scheme: `http` or `https`.
    """

    def __init__(self, file_system: Any, scheme: str) -> None:
        super().__init__(file_system)
        self._scheme = scheme

    def pages(self, folder: str) -> Iterator[list[Object]]:
        """Yields the files below a folder, a folder at a time; asks for each file's size and mark."""
        waiting, seen = [f"{folder.rstrip('/')}/"], set[str]()
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            while waiting:
                here = waiting.pop()
                if here in seen:
                    continue
                seen.add(here)
                links = sorted(set(steadily(self._name(here), partial(self._links, here))))
                waiting += [link for link in links if link.endswith("/")]
                files = [link for link in links if not link.endswith("/")]
                yield [found for found in pool.map(self._asked, files) if found is not None]

    def _asked(self, key: str) -> Object | None:
        return steadily(self._name(key), partial(self.info, key))

    def _links(self, folder: str) -> list[str]:
        """Returns the keys of what lies directly in a folder."""
        keys = []
        for link in self._fs.ls(self._name(folder), detail=False):
            parts = urlsplit(link)
            if parts.query or parts.fragment:  # links that sort the page
                continue
            key = f"{parts.netloc}{unquote(parts.path)}"
            inside = key.removeprefix(folder)
            if key != inside and inside and "/" not in inside.rstrip("/"):
                keys.append(key)
        return keys

    def info(self, key: str) -> Object | None:
        """Returns one object."""
        found = super().info(self._name(key))
        return found and Object(key, found.size, found.tag, found.modified_ns)

    def _name(self, key: str) -> str:
        if key.startswith(f"{self._scheme}://"):
            return key
        host, _, path = key.partition("/")
        return f"{self._scheme}://{host}/{quote(os.fsencode(path))}"
