"""The `valle-prep` command line. Imports nothing heavy: each command imports what it needs when it runs."""

import ast
import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.options import Options, with_options
from stages.errors import UsageError, run_program
from stages.tables import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

app = typer.Typer(
    help="Turn a folder of recordings into a dataset for codec language models, stage by stage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Voices = Annotated[
    str,
    typer.Argument(
        metavar="VOICES",
        help="Folder of recordings, or its URL (s3://…): <group>/<speaker>/<file> or <speaker>/<file>.",
    ),
]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Neighbours per utterance (similar.top_k).")]


@app.command()
@with_options
def run(voices: Voices, options: Options, top_k: TopK = None) -> None:
    """Run all stages on a folder of recordings."""
    _prepare(None, options, voices=voices, sets=_top_k(top_k))


def _clean(voices: Voices, options: Options) -> None:
    _prepare("clean", options, voices=voices)


def _transcribe(voices: Voices, options: Options) -> None:
    _prepare("transcribe", options, voices=voices)


def _similar(options: Options, top_k: TopK = None) -> None:
    _prepare("similar", options, sets=_top_k(top_k))


Said = Annotated[
    str | None,
    typer.Argument(metavar="[TEXT]", help="With --explain: show how this text is read, and do nothing else."),
]
Spoken = Annotated[str | None, typer.Option("--language", help="Language of TEXT; by default it is detected.")]


def _g2p(options: Options, text: Said = None, language: Spoken = None) -> None:
    if text is None and language is None:
        _prepare("g2p", options)
    elif text is None or not options.explain:
        raise typer.BadParameter("a text and `--language` must go with `--explain`, as in `--explain TEXT`")
    else:
        from pipeline.verbs.explain import explain, lines

        found = explain(options, text, language)
        _show(options, found, "\n".join(lines(found)))


def _stage_command(stage: str) -> "Callable[..., None]":
    def command(options: Options) -> None:
        _prepare(stage, options)

    return command


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stages() -> dict[str, str]:
    """Returns the name and help of each stage, in order.

    Reads them from the sources, because importing the stages would take longer than the rest of `--help`: the names are
    the fields of `PrepConfig`, the help is the first line of each stage's module.
    """
    here = Path(__file__).parent
    tree = ast.parse((here / "config.py").read_text(encoding="utf-8"))
    sections = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PrepConfig")
    names = [field.target.id for field in sections.body if isinstance(field, ast.AnnAssign)]  # type: ignore[union-attr]
    sources = {name: (here.parent / "stages" / f"{name}.py").read_text(encoding="utf-8") for name in names}
    heads = {name: source.partition("\n")[0].strip('"') for name, source in sources.items()}  # `ast` would take longer
    return {name: _sentence(head.partition(": ")[2] or head) for name, head in heads.items()}


_OWN_COMMANDS: "dict[str, Callable[..., None]]" = {
    "clean": _clean,
    "transcribe": _transcribe,
    "g2p": _g2p,
    "similar": _similar,
}
"""Commands of stages that take more than the shared options."""

for _name, _help in _stages().items():
    app.command(_name, help=_help)(with_options(_OWN_COMMANDS.get(_name) or _stage_command(_name)))


@app.command()
@with_options
def status(options: Options) -> None:
    """Show what each stage produced, filtered and rejected."""
    from pipeline.dataset.folder import open_dataset
    from pipeline.runner.progress import Reporter
    from pipeline.runner.runner import read_status
    from pipeline.runner.tally import exit_code

    reports = read_status(open_dataset(options.out))
    Reporter(quiet=options.quiet, as_json=options.as_json).close(reports)
    raise typer.Exit(exit_code(reports))


Deep = Annotated[bool, typer.Option("--deep", help="Also read every byte, every row and every recording.")]


@app.command()
@with_options
def validate(options: Options, deep: Deep = False) -> None:
    """Check that every artefact is intact and up to date."""
    from pipeline.verbs.validate import show_validation

    raise typer.Exit(show_validation(options, deep=deep))


Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Retry only rejects with this reason; repeatable.")]


@app.command()
@with_options
def retry(options: Options, reason: Reasons = None) -> None:
    """Process rejected items again, with the last configuration."""
    from pipeline.session import retry

    raise typer.Exit(retry(options, reason or ()))


@app.command()
@with_options
def plan(
    options: Options,
    *,
    hours: Annotated[float, typer.Option("--hours", help="Hours of recordings.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Workers, one core each.")] = 16,
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="GPUs for hearing and encoding; 0: none.")] = 0,
    heard: Annotated[float, typer.Option("--heard", help="Share of the hours that have no transcript, 0 to 1.")] = 0.0,
    recording_s: Annotated[
        float | None, typer.Option("--recording-s", help="Mean length of a recording, in seconds.")
    ] = None,
    utterance_s: Annotated[
        float | None, typer.Option("--utterance-s", help="Mean length of an utterance, in seconds.")
    ] = None,
    kbit_s: Annotated[float, typer.Option("--kbit-s", help="Bit rate of the recordings, in kbit/s.")] = 256.0,
    speakers: Annotated[int | None, typer.Option("--speakers", min=1, help="Number of speakers.")] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="STAGE=X", help="Seconds of audio that a worker does a second; repeatable."),
    ] = None,
) -> None:
    """Compute time, GPU hours, disk and network of a dataset to be made, from measured rates."""
    from pipeline.verbs.planning import Wanted, parse_rates, show_plan

    rates = parse_rates(rate or ())
    wanted = Wanted(
        hours=hours,
        workers=workers,
        gpus=gpus,
        recording_s=recording_s,
        utterance_s=utterance_s,
        heard=heard,
        kbit_s=kbit_s,
        speakers=speakers,
        rates=rates,
    )
    show_plan(options, wanted)


@app.command()
@with_options
def doctor(options: Options) -> None:
    """Check that this machine has what the pipeline needs. Show how to get what is missing."""
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
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a recording or utterance, or part of one.")],
    options: Options,
) -> None:
    """Show one recording or utterance, from source to neighbours."""
    from pipeline.dataset.folder import open_dataset
    from pipeline.verbs.inspect import inspect, lines

    found = inspect(open_dataset(options.out), name)
    _show(options, found, "\n".join(lines(found)))


@app.command("import")
@with_options
def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of codes: <group>/<speaker>/<file>.enc or .dac.")
    ],
    options: Options,
    keep_phonemes: Annotated[
        bool, typer.Option("--keep-phonemes", help="Keep a file's phonemes even if it also has text.")
    ] = False,
) -> None:
    """Make a dataset from codes pickled by another VALL-E code base."""
    from pipeline.verbs.importing import import_codes

    raise typer.Exit(import_codes(options, folder, keep_phonemes=keep_phonemes))


@app.command()
@with_options
def decode(
    name: Annotated[str, typer.Argument(metavar="ID|FILE", help="An id or part of one, a row number, or codes.npy.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.wav", help="File to write.")],
    options: Options,
) -> None:
    """Decode codes to audio."""
    from pipeline.verbs.decode import decode

    made = decode(options, name, target)
    _show(options, made.to_json(), made.describe(), of=() if name.lower().endswith(".npy") else ("hdf5",))


@app.command()
@with_options
def export(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help=f"{', '.join(names_in('stages/exchange', 'Export'))}.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder.")],
    options: Options,
    *,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Include the audio, or only the codes.")] = True,
    trainer: Annotated[
        str,
        typer.Option("--for", help=f"For filelist: {', '.join(names_in('stages/exchange/filelists', 'Trainer'))}."),
    ] = "",
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="OWNER/NAME", help="Upload it to this repository of the Hugging Face hub."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="With --push: let everyone see a repository that is made.")
    ] = False,
) -> None:
    """Export the dataset to another format, and upload it if asked to."""
    from pipeline.dataset.folder import check_audio, open_dataset
    from stages.exchange.source import Source
    from stages.exchange.table import EXPORTS, export

    dataset = open_dataset(options.out)
    voices = check_audio(dataset) if audio else None
    if trainer and kind != "filelist":
        raise UsageError(f"`--for` is for the format filelist, but the format is `{kind}`. Leave one out.")
    source = Source(options.out, voices, dataset.raw, trainer, is_cleaned=bool(dataset.cleaner))
    if public and push is None:
        raise UsageError("`--public` goes with `--push OWNER/NAME`.")
    if push is not None:
        from pipeline.verbs.pushing import in_lines, publish

        told = publish(kind, source, target, push, public=public, dry_run=options.dry_run)
        _show(options, told, in_lines(told), of=EXPORTS[kind].reads)
        return
    count = export(kind, source, target, dry_run=options.dry_run)
    found = {"format": kind, "utterances": count, "folder": str(target)}
    _show(options, found, f"{count:,} utterances in {target}", of=EXPORTS[kind].reads)


Utterances = Annotated[int, typer.Option("--utterances", min=1, help="Utterances to play on the page.")]
Embed = Annotated[int, typer.Option("--embed", min=0, help="Utterances to embed in the page with their audio.")]


@app.command()
@with_options
def report(options: Options, utterances: Utterances = 200, embed: Embed = 0) -> None:
    """Write an HTML report. It has hours, distributions, phonemes, what was left out, and utterances to play."""
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
def formats(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """List what is read: transcript formats, corpus layouts and audio files."""
    from pipeline.verbs.formats import formats, lines

    found = formats()
    typer.echo(json.dumps(found, ensure_ascii=False, indent=1) if as_json else "\n".join(lines(found)))


@app.command()
def voices(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write; created if missing.")],
    *,
    voice: Annotated[
        Literal["espeak", "piper"],
        typer.Option(help="espeak: a small demo in four languages; piper: English in eight voices (extra piper)."),
    ] = "espeak",
    texts: Annotated[
        Path | None,
        typer.Option(help="With piper: what to say, a name, a tab and a text a line; by default the demo's."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="With piper: another voice's .onnx, its .onnx.json beside it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With piper: seed of the intonation.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="With piper: processes.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write recordings of synthetic speech, with transcripts."""
    if voice == "piper":
        from pipeline.verbs.speaking import speak_texts

        speak_texts(folder, texts, weights=weights, seed=seed, jobs=jobs, quiet=quiet)
        return
    if texts or weights or seed or jobs > 1:
        raise UsageError("`--texts`, `--weights`, `--seed` and `--jobs` go with `--voice piper`.")
    from stages.corpora.voices import write_voices

    count = len(write_voices(folder))
    if not quiet:
        typer.echo(f"{count} recordings with transcripts in {folder}. Next: valle-prep run {folder}", err=True)


def _show(options: Options, found: Any, text: str, *, of: "Sequence[str]" = ()) -> None:
    """Prints a command's result as JSON or text, and a note if one of the stages `of` isn't up to date."""
    if of and not options.quiet:
        from pipeline.runner.runner import note_if_stale

        if note := note_if_stale(options.out, of):
            typer.echo(note, err=True)
    if options.as_json:
        # Bytes of a path that aren't UTF-8 are escaped.
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace").decode())
    elif not options.quiet:
        typer.echo(text, err=True)


def _top_k(top_k: int | None) -> list[str]:
    return [] if top_k is None else [f"similar.top_k={top_k}"]


def _prepare(stage: str | None, options: Options, *, voices: str | None = None, sets: "Sequence[str]" = ()) -> None:
    """Runs one stage, or all stages that the configuration asks for."""
    from pipeline.session import prepare
    from stages.remote.paths import path_from

    folder = None if voices is None else path_from(voices)
    raise typer.Exit(prepare(options, [stage] if stage else None, voices=folder, sets=sets))


def main() -> None:
    """Runs `valle-prep`; user errors become one line and an exit code."""
    gc.set_threshold(20_000)  # imports make no garbage, and to look for it as often as by default slows a small run
    run_program(app)


if __name__ == "__main__":
    main()
