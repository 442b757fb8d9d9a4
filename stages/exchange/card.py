"""Writes the card of an exported dataset: hours, speakers, languages, codec, and what was left out."""

from collections import Counter
from typing import Any

from stages.artefacts.left_out import left_out
from stages.artefacts.manifest import NOT_KNOWN
from stages.exchange.source import Source
from stages.publish.cards import card, reasons, size_category, table

_USE = {
    "parquet": (
        "```python\nfrom datasets import load_dataset\n\ndataset = load_dataset(FOLDER_OR_REPOSITORY)\n```\n\n"
        "`codes` is `[K, T]`: K codebooks, T frames."
    ),
    "webdataset": (
        "Each utterance is `<row>.json`, `<row>.codes.npy` (`[K, T]`: K codebooks, T frames) and, with audio,"
        " `<row>.flac`, in files of a split: `<split>-<number>.tar`."
    ),
}


def dataset_card(source: Source, kind: str) -> str:
    """Returns the card of a dataset exported as `kind`; the same dataset gives the same card."""
    store = source.store
    seconds: Counter[str] = Counter()
    utterances: Counter[str] = Counter()
    for language, frames in zip(store.languages, store.frames.tolist(), strict=True):
        seconds[language] += frames / store.codec.frame_rate
        utterances[language] += 1
    front: dict[str, Any] = {
        "language": sorted(utterances),
        "task_categories": ["text-to-speech", "automatic-speech-recognition"],
        "size_categories": [size_category(len(store))],
        "tags": ["speech", "codec", kind],
    }
    splits = Counter(source.splits)
    about = [
        ("utterances", len(store)),
        ("hours", _hours(sum(seconds.values()))),
        ("speakers", len(set(store.speakers))),
        *((f"split `{split}`", count) for split, count in sorted(splits.items())),
        ("codec", store.codec.describe()),
        ("licence of the codec's weights", store.codec.licence or NOT_KNOWN),
        ("audio", "none" if source.voices is None else "mono, 16 bits, at the rate of the recordings"),
        ("fingerprint", f"`{store.fingerprint}`"),
    ]
    spoken = [(code, utterances[code], _hours(seconds[code])) for code in sorted(utterances)]
    parts = [
        "# Speech with codec codes",
        "Utterances with text, phonemes and the codes of a neural codec, made by `valle-prep`.",
        table(["", ""], about),
        table(["language", "utterances", "hours"], spoken),
        f"## Use\n\n{_USE[kind]}" if kind in _USE else "",
    ]
    if left := reasons(left_out(source.dataset)):
        parts.append(f"## Left out while it was made\n\n{left}")
    parts.append("## Licence\n\nThat of the recordings; whoever publishes them names it here.")
    return card(front, "\n\n".join(filter(None, parts)))


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 4)
