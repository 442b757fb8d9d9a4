"""Corpora with one text file per recording: LibriTTS, VCTK, and plain voices folders."""

from pathlib import Path

from stages.corpora.layouts.layout import Layout, Piece, Rows


def read_libritts(table: Path) -> Rows:
    """Reads LibriTTS: `<set>/<speaker>/<chapter>/<name>.normalized.txt` is the transcript of `<name>.wav`.

    Source: LibriTTS, Zen et al. 2019, https://www.openslr.org/60.
    """
    name = table.name.removesuffix(".normalized.txt")
    if name.count("_") == 3:
        yield Piece(f"{name}.wav", speaker=name.partition("_")[0], group="../..", beside=table.name)


def read_vctk(table: Path) -> Rows:
    """Reads VCTK: `txt/<speaker>/<name>.txt` is the transcript of `<name>` in `wav48*/<speaker>`.

    Of two microphones, only the recording of the first is used.

    Source: VCTK, Yamagishi et al. 2019, https://doi.org/10.7488/ds/2645.
    """
    speaker = table.parent.name
    for folder, ending in (("wav48_silence_trimmed", "_mic1.flac"), ("wav48", ".wav")):
        if (table.parents[2] / folder).is_dir():
            audio = f"../../{folder}/{speaker}/{table.stem}{ending}"
            yield Piece(audio, speaker=speaker, group="../..", beside=table.name)
            return


def read_voices(_table: Path) -> Rows:
    """Yields nothing: plain folders, `<group>/<speaker>/*`, have no table."""
    return iter(())


VCTK = Layout(
    "vctk",
    ("txt/*/*.txt",),
    read_vctk,
    complete=True,
    speakers="the folder's; audio from `wav48*/`, first microphone",
    rank=40,
)
LIBRITTS = Layout(
    "libritts",
    ("*.normalized.txt",),
    read_libritts,
    speakers="the speaker from the file's name; the set is the group",
)
VOICES = Layout(
    "voices",
    (),
    read_voices,
    speakers="`<group>/<speaker>/`; several names in a transcript are its speakers",
    rank=100,
)
