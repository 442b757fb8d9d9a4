"""Measures `slice.max_edge_db` on real speech: recordings as they are, and copies that lack the end of their speech."""

import hashlib
from collections.abc import Iterator
from functools import partial

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.audio.files import read
from stages.audio.silence import edge_levels, sound_edges
from stages.corpora.scan import scan
from stages.ids import path_of
from stages.records import Wave

EDGE_DB = -20.0
"""The bound that is measured; `docs/datasets.md` advises it."""
_CHOSEN = 240
"""Recordings, first by a hash of their ids, on which the bound was chosen."""
_LEAST_S = 2.0
"""Shorter recordings are single words."""
_LOST_S = (0.2, 0.3, 0.4)
"""How much of the speech is lost, from where sound begins or ends."""
_SOUND_DB = 25.0
"""Sound begins and ends less than this below a recording's level."""


def edges(bench: Bench) -> Iterator[Figure]:
    """Cuts off the beginning or the end of speech, and counts what is found, also where the bound wasn't chosen."""
    found: dict[tuple[bool, str, str], list[bool]] = {}
    for chosen, wave, rate in _waves(bench):
        for what, edge, cut in _cuts(wave, rate):
            levels = dict(zip(("beginning", "end"), edge_levels(cut, rate), strict=True))
            level = levels[edge]
            found.setdefault((chosen, what, edge), []).append(level is not None and level > EDGE_DB)
    for chosen in (True, False):
        for what in ("as it is", *map(_lacks, _LOST_S)):
            for edge in ("beginning", "end"):
                ones = found.get((chosen, what, edge), [])
                figure = partial(Figure, f"{'chosen on' if chosen else 'others'}, {what}: {edge}, of {len(ones)}")
                share = sum(ones) / max(1, len(ones))
                if chosen:
                    yield figure(share)
                else:
                    yield figure(share, most=0.1) if what == "as it is" else figure(share, least=0.7)


def _waves(bench: Bench) -> Iterator[tuple[bool, Wave, int]]:
    """Yields recordings, and whether the bound was chosen on each."""
    hashed = sorted((hashlib.sha256(one.id.encode()).digest(), one.id) for one in scan(bench.recordings).recordings)
    count = 0
    for _, name in hashed:
        wave, rate = read(bench.recordings / path_of(name))
        if len(wave) >= _LEAST_S * rate:
            count += 1
            yield count <= _CHOSEN, wave, rate


def _cuts(wave: Wave, rate: int) -> Iterator[tuple[str, str, Wave]]:
    """Yields a recording as it is and without the ends of its speech, with the end that is judged."""
    sound = sound_edges(wave, rate, silence_db=_SOUND_DB)
    if sound is None:
        return
    yield "as it is", "beginning", wave
    yield "as it is", "end", wave
    start, end = sound
    for seconds in _LOST_S:
        lost = round(seconds * rate)
        if end - start >= 4 * lost:
            yield _lacks(seconds), "beginning", wave[start + lost :]
            yield _lacks(seconds), "end", wave[: end - lost]


def _lacks(seconds: float) -> str:
    return f"lacks {seconds:g} s"


EDGES = StageBench("edges", edges, 14, needs_speech=True)
