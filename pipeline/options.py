"""The options that every `valle-prep` command shares, defined once."""

import dataclasses
import inspect
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from stages.machine import parse_device


@dataclass(frozen=True)
class Options:
    """The shared options of one command call."""

    out: Annotated[Path, typer.Option("--out", help="Dataset folder.")] = Path("dataset")
    config: Annotated[Path | None, typer.Option("--config", help="YAML file with a section per stage.")] = None
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Set one configuration key; repeatable."),
    ] = None
    scheduler: Annotated[
        str,
        typer.Option("--scheduler", help="sync, local, cuda, tcp://HOST:PORT, a scheduler file or slurm:FILE."),
    ] = "local"
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Number of workers or Slurm jobs; default: one per core.")
    ] = None
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto"
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Use only the first N recordings, sorted by id.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and why; write nothing.")] = False
    explain: Annotated[bool, typer.Option("--explain", help="List every shard of the plan; implies --dry-run.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Show neither progress nor tables.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", help="Show library logs and the whole configuration.")] = False

    def __post_init__(self) -> None:
        """Makes `--explain` imply `--dry-run`."""
        object.__setattr__(self, "dry_run", self.dry_run or self.explain)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces a command's last parameter, `options: Options`, by one keyword parameter per shared option."""

    def wrapper(*args: Any, **kwargs: Any) -> None:
        options = Options(**{field.name: kwargs.pop(field.name) for field in dataclasses.fields(Options)})
        _set_logging(verbose=options.verbose)
        command(*args, **kwargs, options=options)

    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()]
    kinds = get_type_hints(Options, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=kinds[f.name])
        for f in dataclasses.fields(Options)
    ]
    parameters = [p for p in own if p.name != "options"] + shared
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _set_logging(*, verbose: bool) -> None:
    """Shows our own warnings and the errors of libraries other than Dask; everything from INFO up if verbose.

    Filters in the handler, because some libraries set the levels of their own loggers.
    """
    handler = logging.StreamHandler()
    if not verbose:
        handler.addFilter(_is_for_users)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def _is_for_users(record: logging.LogRecord) -> bool:
    """Returns whether to show a log record. Dask's are left out: it logs pages when a worker dies."""
    library_error = record.levelno >= logging.ERROR and not record.name.startswith("distributed")
    return library_error or record.name.startswith("stages.")


def device_of(name: str) -> str:
    """Returns the device that `--device` names; `auto` is `cuda` if `nvidia-smi` is on PATH, otherwise `cpu`.

    Raises:
        UsageError: if the name isn't a device.
    """
    if name == "auto":
        return "cuda" if shutil.which("nvidia-smi") else "cpu"
    parse_device(name, option="--device")
    return name
