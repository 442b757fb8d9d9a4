"""Renders the HTML page of `valle-prep report`.

The texts of a dataset are untrusted: names, ids and transcripts are escaped, and the page's content security policy
allows only its own script.
"""

import base64
import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from pipeline.report.readings import rows_of
from pipeline.report.survey import LeftOut, Row, Share, Survey, histogram
from pipeline.runner.tally import Tally

_DATA = Path(__file__).parent / "data"
_FIRST = 20
"""Rows of a table that are shown at first; the others are folded."""
_MOST = 1000
"""Largest number of rows of a table."""
_RARE = 5
"""Phoneme symbols with fewer occurrences are marked: many of them are mistakes."""

_NAMES = {
    "seconds": ("duration", "s"),
    "snr_db": ("SNR", "dB"),
    "bandwidth_hz": ("bandwidth of the speech", "Hz"),
    "srmr": ("SRMR, less with more reverberation", ""),
    "begins_db": ("level at the beginning, relative to the utterance", "dB"),
    "ends_db": ("level at the end, relative to the utterance", "dB"),
    "ovrl": ("DNSMOS overall", ""),
    "sig": ("DNSMOS speech", ""),
    "bak": ("DNSMOS background", ""),
    "characters_per_second": ("characters per second", ""),
    "phonemes_per_second": ("phonemes per second", ""),
    "loudness_lufs": ("loudness", "LUFS"),
    "avg_logprob": ("mean log-probability of what was heard", ""),
    "no_speech_prob": ("probability that nobody speaks", ""),
    "compression_ratio": ("compression ratio of the text", ""),
    "language_probability": ("probability of the language", ""),
    "misheard": ("character error rate against the sound", ""),
    "misheard_first": ("the same of the first word", ""),
    "misheard_last": ("the same of the last word", ""),
    "voice": ("share of voice", ""),
    "silence": ("share of silence", ""),
    "clipped": ("share of clipped samples", ""),
    "peak": ("peak", ""),
}
"""Measured value -> label and unit, in the order of the distributions on the page; other values follow."""


def base64_of(data: bytes) -> str:
    """Encodes bytes as base64 text."""
    return base64.b64encode(data).decode("ascii")


def ordered(names: Mapping[str, Any]) -> list[str]:
    """Sorts the names of measured values: those of `_NAMES` first, the others by name."""
    return [*(name for name in _NAMES if name in names), *sorted(set(names) - set(_NAMES))]


_SECTIONS = {
    "stages": "Stages",
    "languages": "Languages",
    "speakers": "Speakers",
    "distributions": "Distributions",
    "doubtful": "To listen to",
    "phonemes": "Phonemes",
    "readings": "Read in other words",
    "left-out": "Left out",
    "taken": "Taken out of the texts",
    "shared": "Texts in several splits",
}
"""Anchor -> title; the section of utterances follows."""


def render(found: Survey, utterances: Sequence[Row], *, title: str, codebook_size: int) -> str:
    """Renders the page as HTML.

    Args:
        found: The statistics of the dataset.
        utterances: The utterances to show one by one, as `pipeline.report.write` yields them.
        title: The dataset's name.
        codebook_size: Entries per codebook; sets the colour scale of the codes.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_DATA),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["grouped"] = "{:,}".format
    shown = _SECTIONS if found.utterances else {key: _SECTIONS[key] for key in ("stages", "left-out", "taken")}
    readings = rows_of(found.readings)
    shared = found.texts if found.texts.get("in_several_splits", 0) else None
    held = {"taken": found.taken, "doubtful": found.doubtful, "readings": readings, "shared": shared}
    shown = {key: title for key, title in shown.items() if held.get(key, True)}
    names = {name: _NAMES.get(name, (name, "")) for name in ordered(found.values)}
    data = {"names": names, "codebookSize": max(codebook_size, 1), "utterances": list(utterances)}
    script = (_DATA / "page.js").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        title=title,
        # The template escapes everything but these three: two are our own files, and `_for_script` makes the third
        # safe.
        style=(_DATA / "page.css").read_text(encoding="utf-8"),
        script=script,
        data=_for_script(data),
        script_hash=base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode("ascii"),
        sections=shown,
        figures=_figures(found),
        codec=found.codec,
        stage=found.stage,
        stages=[_stage(tally) for tally in found.tallies],
        languages=_shares(found.languages, "language", "speakers", found.seconds),
        speakers=_shares(found.speakers, "speaker", "languages", found.seconds),
        histograms=[_histogram(*_NAMES.get(name, (name, "")), found.values[name]) for name in ordered(found.values)],
        symbols=_symbols(found.symbols),
        doubtful=found.doubtful,
        doubt=_NAMES.get(found.doubt, ("", ""))[0],
        links={row["id"]: "#u=" + quote(row["id"].encode("utf-8", "replace"), safe="") for row in utterances},
        taken=found.taken,
        readings=readings,
        texts=shared,
        left_out=_left_out(list(found.left_out.values()), found.tallies),
        utterances=found.utterances,
        shown=len(utterances),
        first=_FIRST,
        most=_MOST,
        rare=_RARE,
    )


def _for_script(data: Any) -> str:
    """Returns JSON without `<`, which could end the script element, and without lone surrogates."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return text.encode("utf-8", "replace").decode()


def _figures(found: Survey) -> dict[str, str]:
    """Returns the numbers at the top of the page, by name."""
    hours = found.seconds / 3600
    left_out = sum(group.count for group in found.left_out.values())
    return {
        **({"hours": f"{hours:,.1f}"} if hours >= 1 else {"minutes": f"{60 * hours:.1f}"}),
        "utterances": f"{found.utterances:,}",
        "speakers": f"{len(found.speakers):,}",
        "languages": f"{len(found.languages):,}",
        "seconds on average": f"{found.seconds / max(found.utterances, 1):.2f}",
        "symbols of phonemes": f"{len(set().union(*found.symbols.values())):,}",
        "left out": f"{left_out:,}",
    }


def _stage(tally: Tally) -> Row:
    counts = {"outputs": tally.outputs, "filtered": tally.filtered.total(), "rejected": tally.rejected.total()}
    return {"stage": tally.stage, "pieces": tally.pieces, "counts": counts, "hours": tally.audio_s / 3600}


def _shares(shares: Mapping[str, Share], what: str, among: str, seconds: float) -> Row:
    """Returns a table of speakers or languages, sorted by length, longest first."""
    largest = max((share.seconds for share in shares.values()), default=0.0)
    rows = [
        {
            "name": name,
            "width": 100 * share.seconds / max(largest, 1e-9),
            "length": _length(share.seconds),
            "percent": 100 * share.seconds / max(seconds, 1e-9),
            "utterances": share.utterances,
            "among": str(len(share.among)) if among == "speakers" else ", ".join(sorted(share.among)),
        }
        for name, share in sorted(shares.items(), key=lambda item: (-item[1].seconds, item[0]))
    ]
    return {"what": what, "among": among, "rows": rows}


def _length(seconds: float) -> str:
    """Formats seconds as `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _histogram(name: str, unit: str, values: Sequence[float]) -> Row:
    """Returns the bars of a histogram, or the value itself if all are equal."""
    if (only := f"{min(values):.4g}") == f"{max(values):.4g}":
        return {"name": name, "unit": unit, "only": only}
    edges, counts = histogram(values)
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    top, behind = max(counts), f" {unit}" if unit else ""
    bars = [
        {"height": 100 * count / top, "title": f"{left:g} to {right:g}{behind}: {count:,}"}
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return {
        "name": name,
        "only": "",
        "count": len(values),
        "summary": f"median {median:.4g}{behind}; 90 %: {low:.3g} to {high:.3g}",
        "bars": bars,
        "median_at": 100 * (min(max(median, edges[0]), edges[-1]) - edges[0]) / (edges[-1] - edges[0]),
        "axis": [f"{edge:g}" for edge in np.linspace(edges[0], edges[-1], 5).round(6)],
    }


def _symbols(symbols: Mapping[str, Counter[str]]) -> list[Row]:
    """Returns the phoneme symbols with their counts, most frequent first."""
    total: Counter[str] = sum(symbols.values(), Counter())
    largest = max(total.values(), default=0)
    rows = []
    for symbol, count in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        where = ", ".join(f"{language} {of[symbol]:,}" for language, of in sorted(symbols.items()) if of[symbol])
        title = f"U+{ord(symbol):04X} {unicodedata.name(symbol, 'without a name')}: {count:,} ({where})"
        share = 100 * np.log1p(count) / np.log1p(largest)
        rows.append({"glyph": _glyph(symbol), "count": count, "share": share, "title": title})
    return rows


def _glyph(symbol: str) -> str:
    """Returns a visible form of a symbol: `␣` for a space, a dotted circle under a combining mark."""
    if symbol.isspace():
        return "␣"
    return ("◌" if unicodedata.combining(symbol) else "") + symbol


def _left_out(found: Sequence[LeftOut], tallies: Sequence[Tally]) -> list[Row]:
    """Returns the filtered and rejected items by stage, kind and reason, most frequent first."""
    order = {tally.stage: place for place, tally in enumerate(tallies)}
    largest = max((group.count for group in found), default=0)
    return [
        {
            "stage": group.stage,
            "kind": group.kind,
            "reason": group.reason,
            "count": group.count,
            "width": 100 * group.count / largest,
            "examples": group.examples,
            "hinted": any(row["hint"] for row in group.examples),
        }
        for group in sorted(found, key=lambda group: (order[group.stage], group.kind, -group.count, group.reason))
    ]
