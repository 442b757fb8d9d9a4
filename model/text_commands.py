"""The commands of `valle` that answer with text: `transcribe` and `phonemize`."""

from pathlib import Path
from typing import Annotated

import typer

from model.lines import show
from model.option_groups import with_options
from model.options import CodecWeights, Json, ModelOptions


@with_options
def transcribe(
    audio: Annotated[Path, typer.Argument(help="A recording of speech.")],
    *,
    model_options: ModelOptions,
    language: Annotated[str | None, typer.Option(help="Code such as en; recognised if not given.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Show the text too, which the task un-phn writes.")] = False,
    codec_weights: CodecWeights = None,
    as_json: Json = False,
) -> None:
    """Recognise the phonemes of a recording, or what it says."""
    from model.inference.rewriter import Rewriter
    from model.inference.synthesizer import Synthesizer

    listener = Synthesizer.load(model_options.model, model_options.device, codec_weights=codec_weights)
    by_characters = listener.checkpoint.config.data.text == "characters"
    rewriter = Rewriter(listener.checkpoint)
    if text and not by_characters:
        rewriter.check("un-phn")
    heard = listener.hear(audio, language=language)
    values: dict[str, str | bool | list[str]] = {"language": heard.language}
    if by_characters:
        values |= {"text": heard.phonemes, "ended": heard.ended}
    elif text:
        (written,) = rewriter.write([heard.phonemes], language=heard.language)
        values |= {"text": written.text, "phonemes": heard.phonemes, "ended": heard.ended and written.ended}
    else:
        values |= {"phonemes": heard.phonemes, "ended": heard.ended}
    show(values, as_json)


@with_options
def phonemize(
    text: Annotated[str, typer.Argument(help="What to turn into phonemes; with --back, the phonemes.")],
    *,
    model_options: ModelOptions,
    language: Annotated[str | None, typer.Option(help="Code such as en; told from the text if not given.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Turn phonemes into text: the task un-phn.")] = False,
    as_json: Json = False,
) -> None:
    """Turn text into phonemes by the model itself, or phonemes into text."""
    from model.inference.rewriter import Rewriter

    rewriter = Rewriter.load(model_options.model, model_options.device)
    (made,) = (rewriter.write if back else rewriter.phonemize)([text], language=language)
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    what = "text" if back else "phonemes"
    show({"language": made.language, what: made.text, "ended": made.ended}, as_json)
