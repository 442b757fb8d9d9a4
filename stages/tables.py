"""Tables whose rows lie in the files of a folder: a new file is a new row, and nothing else has to name it."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar


class Row(Protocol):
    """What a table holds."""

    @property
    def name(self) -> str:
        """What users call it."""


R = TypeVar("R", bound=Row)


def names_in(folder: str, kind: str) -> list[str]:
    """Reads the names of a folder's rows from its sources: for `--help`, which has no time to import them.

    Args:
        folder: Of the project, such as `stages/exchange`.
        kind: The name of the rows' class; a row is made by a call of it whose first argument is the row's name.
    """
    sources = sorted((Path(__file__).parents[1] / folder).glob("*.py"))
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == kind]
    return sorted(ast.literal_eval(call.args[0]) for call in calls)


def rows_in(package: str, kind: type[R]) -> dict[str, R]:
    """Collects the rows that the modules of a package define at their top.

    Args:
        package: Such as `stages.codecs`. Every module of it is imported, so none may import heavy libraries at its top.
        kind: The class of the rows.

    Returns:
        The rows by name: those of a lower `rank` first, where the class has one, and then in the order of their names.

    Raises:
        ValueError: if two rows have the same name.
    """
    modules = [
        import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(import_module(package).__path__)
    ]
    rows = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, kind)}
    table: dict[str, R] = {}
    for row in sorted(rows.values(), key=lambda row: (getattr(row, "rank", 0), row.name)):
        if row.name in table:
            raise ValueError(f"`{package}` must hold one {kind.__name__} of each name, but holds two `{row.name}`")
        table[row.name] = row
    return table
