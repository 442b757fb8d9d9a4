"""Corpora as they come: the tables that say what many recordings say, and who speaks. A function and a row a layout.

Nothing of the audio is read here. What a row tells of a recording travels with it, so that a changed row concerns that
recording alone.
"""

from collections.abc import Mapping

from stages.corpora.layouts.beside import read_libritts, read_vctk
from stages.corpora.layouts.kaldi import read_kaldi
from stages.corpora.layouts.layout import Layout, _nothing
from stages.corpora.layouts.lhotse import read_lhotse, supervisions_name
from stages.corpora.layouts.tables import read_commonvoice, read_librispeech, read_ljspeech

LAYOUTS: Mapping[str, Layout] = {
    "lhotse": Layout(
        ("*recordings*.jsonl", "*recordings*.jsonl.gz"),
        read_lhotse,
        complete=True,
        anywhere=True,
        rows_in=supervisions_name,
    ),
    "kaldi": Layout(("wav.scp",), read_kaldi, complete=True, anywhere=True, rows_in=lambda _: "text"),
    "commonvoice": Layout(("validated.tsv", "train.tsv", "dev.tsv", "test.tsv"), read_commonvoice, complete=True),
    "vctk": Layout(("txt/*/*.txt",), read_vctk, complete=True),
    "libritts": Layout(("*.normalized.txt",), read_libritts),
    "librispeech": Layout(("*.trans.txt",), read_librispeech),
    "ljspeech": Layout(("metadata.csv",), read_ljspeech),
    "voices": Layout((), _nothing),
}
"""The layouts by name; where several tell of one recording, the first of these is believed.

`voices` is `<group>/<speaker>/*` with or without a transcript beside each: what holds where no table tells.
"""
