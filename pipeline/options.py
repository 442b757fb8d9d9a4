"""The options that every `valle-prep` command shares, defined once."""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


@dataclass(frozen=True)
class Options:
    """What a command is told beside its own arguments."""

    out: Annotated[Path, typer.Option("--out", help="The dataset's folder.")] = Path("dataset")
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file with a section a stage.")] = None
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Lays one value over the configuration."),
    ] = None
    scheduler: Annotated[
        str,
        typer.Option("--scheduler", help="sync, local, cuda, tcp://HOST:PORT, a scheduler file or slurm:FILE."),
    ] = "local"
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Local workers; one a core by default.")] = None
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto"
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N recordings, by id.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and why; write nothing.")] = False
    explain: Annotated[bool, typer.Option("--explain", help="With --dry-run: shard by shard.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Show neither progress nor tables.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the libraries log, and the configuration.")] = (
        False
    )


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose last parameter is `options: Options`, a keyword parameter for each of them."""

    def wrapper(*args: Any, **kwargs: Any) -> None:
        given = {field.name: kwargs.pop(field.name) for field in dataclasses.fields(Options)}
        command(*args, **kwargs, options=Options(**given))

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
