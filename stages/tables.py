"""Tables built from the modules of a folder: to add a row, add a file that defines it."""

import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar


class Row(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """The name that users give."""


R = TypeVar("R", bound=Row)
V = TypeVar("V")


def names_in(folder: str, kind: str) -> list[str]:
    """Returns the names of a folder's rows, sorted, without importing its modules; `--help` must be fast.

    Args:
        folder: The folder below the project's root, such as `stages/exchange`.
        kind: The name of the rows' class. Each row must be made by a call `kind(name, …)` with a literal name.
    """
    sources = sorted((Path(__file__).parents[1] / folder).glob("*.py"))
    call = re.compile(rf'(?<!\w){kind}\(\s*"([^"]+)"')
    return sorted(name for path in sources for name in call.findall(path.read_text(encoding="utf-8")))


def by_key(entries: Iterable[tuple[str, str, V]]) -> dict[str, V]:
    """Returns a table of values by key.

    Args:
        entries: (key, name of the row that it comes from, value).

    Raises:
        ValueError: if two rows have the same key; the message names both.
    """
    table: dict[str, V] = {}
    owners: dict[str, str] = {}
    for key, name, value in entries:
        if key in table:
            raise ValueError(f"`{key}` must be of one row, but both `{owners[key]}` and `{name}` claim it")
        table[key], owners[key] = value, name
    return table


def rows_in(package: str, kind: type[R]) -> dict[str, R]:
    """Collects the rows that a package's modules define at their top level.

    Args:
        package: Its name, such as `stages.codecs`. All its modules are imported, also those in folders of it, so none
            may import heavy libraries at its top level.
        kind: The class of the rows.

    Returns:
        The rows by name, sorted by `rank` if the class has it, then by name.

    Raises:
        ValueError: if two rows have the same name.
    """
    folders = import_module(package).__path__
    modules = [import_module(found.name) for found in pkgutil.walk_packages(folders, prefix=f"{package}.")]
    rows = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, kind)}
    table: dict[str, R] = {}
    for row in sorted(rows.values(), key=lambda row: (getattr(row, "rank", 0), row.name)):
        if row.name in table:
            raise ValueError(f"`{package}` must hold one {kind.__name__} of each name, but holds two `{row.name}`")
        table[row.name] = row
    return table


def merged(tables: Iterable[dict[str, R]]) -> dict[str, R]:
    """Returns the rows of several tables as one, sorted as `rows_in` sorts them.

    Raises:
        ValueError: if two tables have a row of the same name.
    """
    found = [row for table in tables for row in table.values()]
    rows = sorted(found, key=lambda row: (getattr(row, "rank", 0), row.name))
    return by_key((row.name, row.name, row) for row in rows)
