"""`valle-prep`: from a folder of recordings to a dataset, stage by stage.

Nothing heavy is imported here: each command loads what it needs when it runs.
"""

import ast
import logging
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.options import Options, with_options
from stages.console import run_app
from stages.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.dataset import Dataset
    from pipeline.digests import DigestCache
    from pipeline.report import Reporter
    from pipeline.runner import Run

app = typer.Typer(
    help="From a folder of recordings to a dataset for codec language models, stage by stage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Voices = Annotated[Path, typer.Argument(help="Recordings, as <group>/<speaker>/<file> or <speaker>/<file>.")]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Neighbours an utterance (similar.top_k).")]


@app.command()
@with_options
def run(voices: Voices, options: Options, top_k: TopK = None) -> None:
    """Run all stages on a folder of recordings."""
    _prepare(None, options, voices=voices, sets=_top_k(top_k))


def _transcribe(voices: Voices, options: Options) -> None:
    _prepare("transcribe", options, voices=voices)


def _similar(options: Options, top_k: TopK = None) -> None:
    _prepare("similar", options, sets=_top_k(top_k))


def _plain(stage: str) -> "Callable[..., None]":
    def command(options: Options) -> None:
        _prepare(stage, options)

    return command


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stages() -> dict[str, str]:
    """Returns the stages' names, in order, and what they do, from the sources.

    The names are the fields of `PrepConfig`, the help is the first line of each module; importing them would take
    longer than all the rest of `--help`.
    """
    here = Path(__file__).parent
    tree = ast.parse((here / "config.py").read_text(encoding="utf-8"))
    sections = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PrepConfig")
    names = [field.target.id for field in sections.body if isinstance(field, ast.AnnAssign)]  # type: ignore[union-attr]
    sources = {name: (here.parent / "stages" / f"{name}.py").read_text(encoding="utf-8") for name in names}
    heads = {name: (ast.get_docstring(ast.parse(source)) or name).splitlines()[0] for name, source in sources.items()}
    return {name: _sentence(head.partition(": ")[2] or head) for name, head in heads.items()}


_OWN: "dict[str, Callable[..., None]]" = {"transcribe": _transcribe, "similar": _similar}
"""The stages whose commands take more than the shared options."""

for _name, _help in _stages().items():
    app.command(_name, help=_help)(with_options(_OWN.get(_name) or _plain(_name)))


@app.command()
@with_options
def status(options: Options) -> None:
    """Show what each stage holds."""
    from pipeline.dataset import open_dataset
    from pipeline.report import Reporter, exit_code
    from pipeline.runner import read_status

    reports = read_status(open_dataset(options.out))
    Reporter(quiet=options.quiet, as_json=options.as_json).close(reports)
    raise typer.Exit(exit_code(reports))


@app.command()
def voices(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it isn't there.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False,
) -> None:
    """Write a small set of recordings with transcripts, spoken by espeak-ng: a demo without data."""
    from stages.voices import write_voices

    count = len(write_voices(folder))
    if not quiet:
        typer.echo(f"{count} recordings with transcripts in {folder}. Next: valle-prep run {folder}", err=True)


def _top_k(top_k: int | None) -> list[str]:
    return [] if top_k is None else [f"similar.top_k={top_k}"]


def _prepare(stage: str | None, options: Options, *, voices: Path | None = None, sets: "Sequence[str]" = ()) -> None:
    """Runs one stage, or all of them, and says what came of it."""
    from pipeline.cluster import open_cluster
    from pipeline.config import STAGES, PrepConfig
    from pipeline.report import Reporter, exit_code
    from pipeline.runner import Run, check_stages, run_stages
    from stages.config import load_config

    _set_logging(verbose=options.verbose)
    config = load_config(PrepConfig, options.config, [*(options.sets or []), *sets])
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    if options.verbose:
        reporter.say(config.model_dump_json(indent=1))
    names = [stage] if stage else list(STAGES)
    with ExitStack() as stack:
        cluster = stack.enter_context(open_cluster(options.scheduler, options.jobs))
        dataset, cache, last_recording = _open(voices, options, reporter, stack)
        job = Run(dataset, config, _device(options.device), cluster, cache, reporter, last_recording)
        check_stages(job, names)
        if options.dry_run:
            _show_plan(job, names, reporter)
            return
        reports = run_stages(job, names)
    reporter.close(reports)
    if not any(report.shards_made or report.finished for report in reports):
        reporter.say("nothing to do: everything is up to date")
    raise typer.Exit(exit_code(reports))


def _open(
    voices: Path | None, options: Options, reporter: "Reporter", stack: ExitStack
) -> "tuple[Dataset, DigestCache, str | None]":
    """Opens the dataset; scans the recordings first where they are named.

    Returns:
        The dataset, its cache of checksums, and the last recording to take (None for all).
    """
    from pipeline.cluster import cores
    from pipeline.dataset import check_voices, find_recordings, new_dataset, open_dataset, read_all_recordings
    from pipeline.digests import DigestCache

    if voices is None:
        dataset = open_dataset(options.out)
        check_voices(dataset)
    else:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) if options.dry_run else None
        dataset = new_dataset(options.out, voices, recordings=scratch)
    path = dataset.folder / ".digests.sqlite"
    cache = stack.enter_context(DigestCache(path, read_only=options.dry_run))
    if voices is not None:
        found = find_recordings(dataset, cache, limit=options.limit, threads=options.jobs or cores())
        reporter.say_found(found)
        return dataset, cache, None
    if options.limit is None:
        return dataset, cache, None
    first = read_all_recordings(dataset)[: options.limit]
    return dataset, cache, first[-1].id if first else None


def _set_logging(*, verbose: bool) -> None:
    """Shows our own warnings, and the libraries' errors; all there is when verbose.

    Some libraries set the levels of their own loggers, so it is the handler that decides.
    """
    handler = logging.StreamHandler()
    if not verbose:
        handler.addFilter(lambda record: record.levelno >= logging.ERROR or record.name.startswith("stages."))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def _device(name: str) -> str:
    """Returns the device to compute on; `auto` takes a GPU where there is one."""
    if name == "auto":
        return "cuda" if shutil.which("nvidia-smi") else "cpu"
    kind, _, number = name.partition(":")
    if kind not in {"cpu", "cuda"} or (number and not number.isdigit()):
        raise UsageError(f"`--device` must be auto, cpu, cuda or cuda:N, but is `{name}`.")
    return name


def _show_plan(job: "Run", names: "Sequence[str]", reporter: "Reporter") -> None:
    from pipeline.runner import plan_all

    plans = dict(plan_all(job, names))
    reporter.show_plan(plans)


def main() -> None:
    """Runs the command line; turns what went wrong into one line and an exit code."""
    sys.exit(run_app(app))


if __name__ == "__main__":
    main()
