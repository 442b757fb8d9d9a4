"""The layout of Kaldi data folders."""

import shlex
from dataclasses import replace
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of


def read_kaldi(table: Path) -> Rows:
    """Reads a Kaldi data folder: `wav.scp` and `text`, and if present `segments`, `utt2spk` and `utt2lang`.

    No command is run. The only pipe accepted is `flac -c -d -s FILE |`, which only decodes; FILE is read instead.

    Source: https://kaldi-asr.org/doc/data_prep.html.
    """
    if not (table.parent / "text").is_file():
        return
    columns: dict[str, dict[str, str]] = {"wav.scp": {}, "segments": {}, "utt2spk": {}, "utt2lang": {}}
    for name, column in columns.items():
        if (table.parent / name).is_file():
            column.update(
                (key, rest.strip()) for _, line in lines_of(table.parent / name) for key, rest in [_pair(line)]
            )
    sources, segments, speakers, languages = columns.values()
    for number, line in lines_of(table.parent / "text"):
        name, text = _pair(line)
        recording, *times = segments[name].split() if name in segments else [name]
        audio = _plain_source(sources.get(recording, ""))
        if not audio:
            found = f"`{sources[recording][:60]}`" if recording in sources else "nothing"
            yield BadRow(number, f"`wav.scp` must name the file of `{recording}`, but holds {found}")
            continue
        piece = Piece(audio, text, speaker=speakers.get(name, ""), group="." if name in speakers else None)
        try:
            start, end = map(float, times) if times else (None, None)
        except ValueError:
            problem = f"`segments` must hold `utterance recording start end`, but holds `{segments[name]}`"
            yield replace(piece, problem=problem)
            continue
        if end is not None and end < 0:
            end = _TO_THE_END_S
        yield replace(piece, start_s=start, end_s=end, language=languages.get(name, ""))


_TO_THE_END_S = 1e8
"""Seconds; replaces Kaldi's -1 for the end of the recording. Later steps clip it to the real length."""


def _pair(line: str) -> tuple[str, str]:
    key, _, rest = line.strip().replace("\t", " ").partition(" ")
    return key, rest


def _plain_source(source: str) -> str:
    """Returns the file that a source of `wav.scp` names; "" if it is another command."""
    if not source.endswith("|"):
        return source
    try:
        words = shlex.split(source[:-1])
    except ValueError:
        return ""
    options, files = [w for w in words[1:] if w.startswith("-")], [w for w in words[1:] if not w.startswith("-")]
    decodes = words[:1] and Path(words[0]).name == "flac" and {"-d", "-c"} <= {*options} <= {"-d", "-c", "-s"}
    return files[0] if decodes and len(files) == 1 else ""


KALDI = Layout(
    "kaldi",
    ("wav.scp",),
    read_kaldi,
    complete=True,
    anywhere=True,
    rows_file=lambda _: "text",
    speakers="speaker from `utt2spk`; the data folder is the group; also reads `text`, `segments`, `utt2lang`",
    rank=20,
)
