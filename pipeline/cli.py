"""`valle-prep`: from a folder of recordings to a dataset, stage by stage.

Nothing heavy is imported here: each command loads what it needs when it runs.
"""

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.options import Options, with_options
from stages.errors import run_app
from stages.tables import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

app = typer.Typer(
    help="From a folder of recordings to a dataset for codec language models, stage by stage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Voices = Annotated[Path, typer.Argument(help="Recordings, as <group>/<speaker>/<file> or <speaker>/<file>.")]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Neighbours per utterance (similar.top_k).")]


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
    from pipeline.dataset.folder import open_dataset
    from pipeline.runner.progress import Reporter
    from pipeline.runner.runner import read_status
    from pipeline.runner.tally import exit_code

    reports = read_status(open_dataset(options.out))
    Reporter(quiet=options.quiet, as_json=options.as_json).close(reports)
    raise typer.Exit(exit_code(reports))


Deep = Annotated[bool, typer.Option("--deep", help="Read every byte and row again, and the recordings too.")]


@app.command()
@with_options
def validate(options: Options, deep: Deep = False) -> None:
    """Check that every artefact is whole and made from what is there now."""
    from pipeline.verbs.validate import show_validation

    raise typer.Exit(show_validation(options, deep=deep))


Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only what was rejected for this; repeatable.")]


@app.command()
@with_options
def retry(options: Options, reason: Reasons = None) -> None:
    """Process rejected items again, with the configuration of the last run."""
    from pipeline.session import retry

    raise typer.Exit(retry(options, reason or ()))


@app.command()
@with_options
def doctor(options: Options) -> None:
    """Show what this machine has of what the configured pipeline needs, and how to get the rest."""
    from pipeline.dataset.folder import configuration
    from pipeline.doctor.check import Setup
    from pipeline.doctor.examine import examine, result, show
    from pipeline.options import device_of

    device, write = device_of(options.device), not options.dry_run
    setup = Setup(configuration(options), options.out, device, options.scheduler, options.jobs, write)
    checks = examine(setup)
    found = result(checks)
    if options.as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    elif not options.quiet:
        show(checks)
    raise typer.Exit(found["exit_code"])


@app.command()
@with_options
def inspect(
    name: Annotated[str, typer.Argument(metavar="ID", help="A recording's or an utterance's id, or a part of one.")],
    options: Options,
) -> None:
    """Show one recording or utterance, from its source file to its neighbours."""
    from pipeline.dataset.folder import open_dataset
    from pipeline.verbs.inspect import inspect, lines

    found = inspect(open_dataset(options.out), name)
    _show(options, found, "\n".join(lines(found)))


@app.command("import")
@with_options
def import_(
    folder: Annotated[Path, typer.Argument(help="Files of codes, as <group>/<speaker>/<file>.enc or .dac.")],
    options: Options,
    keep_phonemes: Annotated[
        bool, typer.Option("--keep-phonemes", help="Keep the files' own phonemes even where there is text.")
    ] = False,
) -> None:
    """Make a dataset from codes that another VALL-E pickled."""
    from pipeline.verbs.importing import import_codes

    raise typer.Exit(import_codes(options, folder, keep_phonemes=keep_phonemes))


@app.command()
@with_options
def decode(
    name: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="An id or a part of one, a row's number, or codes.npy.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.wav", help="Where to write.")],
    options: Options,
) -> None:
    """Turn codes back into sound, to listen to them."""
    from pipeline.verbs.decode import decode

    made = decode(options, name, target)
    _show(options, made.to_json(), made.describe(), of=() if name.lower().endswith(".npy") else ("hdf5",))


@app.command()
@with_options
def export(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help=f"{', '.join(names_in('stages/exchange', 'Export'))}.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder.")],
    options: Options,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="With the audio, or only the codes.")] = True,
) -> None:
    """Write a dataset in another format."""
    from pipeline.dataset.folder import check_audio, open_dataset
    from stages.exchange.source import Source
    from stages.exchange.table import EXPORTS, export

    dataset = open_dataset(options.out)
    if audio:
        check_audio(dataset)
    count = export(kind, Source(options.out, dataset.voices if audio else None), target, dry_run=options.dry_run)
    found = {"format": kind, "utterances": count, "folder": str(target)}
    _show(options, found, f"{count:,} utterances in {target}", of=EXPORTS[kind].reads)


Utterances = Annotated[int, typer.Option("--utterances", min=1, help="Utterances that can be played on the page.")]
Embed = Annotated[int, typer.Option("--embed", min=0, help="Utterances whose audio is put into the page itself.")]


@app.command()
@with_options
def report(options: Options, utterances: Utterances = 200, embed: Embed = 0) -> None:
    """Write a page: hours, distributions, phonemes, what was left out, and utterances to listen to."""
    from pipeline.dataset.folder import open_dataset
    from pipeline.report.write import PAGE, write_page

    dataset, shown = open_dataset(options.out), max(utterances, embed)
    if options.dry_run:
        page = str(dataset.folder / PAGE)
        _show(options, {"page": page, "shown": shown}, f"`{page}` would be written, with up to {shown:,} utterances")
        return
    written = write_page(dataset, shown=shown, embed=embed)
    _show(options, written.to_json(), written.describe(), of=("slice", "g2p", "encode", "hdf5", "similar"))


@app.command()
def voices(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it isn't there.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a small set of recordings with transcripts, spoken by espeak-ng: a demo without data."""
    from stages.corpora.voices import write_voices

    count = len(write_voices(folder))
    if not quiet:
        typer.echo(f"{count} recordings with transcripts in {folder}. Next: valle-prep run {folder}", err=True)


def _show(options: Options, found: Any, told: str, *, of: "Sequence[str]" = ()) -> None:
    """Prints what a command found: as JSON, or in words; and a note where a stage that it is of isn't up to date."""
    if of and not options.quiet:
        from pipeline.runner.runner import note_if_stale

        if note := note_if_stale(options.out, of):
            typer.echo(note, err=True)
    if options.as_json:
        # The bytes of a path that are no UTF-8 become JSON's own escapes.
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace").decode())
    elif not options.quiet:
        typer.echo(told, err=True)


def _top_k(top_k: int | None) -> list[str]:
    return [] if top_k is None else [f"similar.top_k={top_k}"]


def _prepare(stage: str | None, options: Options, *, voices: Path | None = None, sets: "Sequence[str]" = ()) -> None:
    """Runs one stage, or all that the configuration asks for."""
    from pipeline.session import prepare

    raise typer.Exit(prepare(options, [stage] if stage else None, voices=voices, sets=sets))


def main() -> None:
    """Runs the command line; turns what went wrong into one line and an exit code."""
    sys.exit(run_app(app))


if __name__ == "__main__":
    main()
