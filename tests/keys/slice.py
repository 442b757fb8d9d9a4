"""Proofs for the keys of `slice`: arithmetic at 100 Hz (a sample is 10 ms), with audio only where it matters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base import Context, Filtered
from stages.records import Certainty, Measures, Segment, Transcript, Utterance, Word
from stages.slice import Slice
from tests.keys.world import RATE, Proof, World, noise

_HZ = 100


def _transcript(*segments: Segment, samples: int = 4000, timed: bool = True, rate: int = _HZ) -> Transcript:
    return Transcript("ann/one.wav", "", "ann", rate, samples, "en", "json", timed, segments)


def _said(start: float, end: float, text: str = "hello there", rate: int = _HZ) -> Segment:
    return Segment(round(start * rate), round(end * rate), text, "en")


def _cuts(world: World, *segments: Segment, **values: Any) -> list[tuple[int, int]]:
    """Returns the borders of the cuts, in samples of 10 ms."""
    values = {"mode": "segments", "measure": False, "search_s": 0.0, "margin_s": 0.0, "finish_s": 0.0, **values}
    found = world.outcomes("slice", _transcript(*segments), **values)
    return [(one.start_samples, one.end_samples) for one in found if isinstance(one, Utterance)]


def _mode(world: World) -> None:
    world.wav("ann/one.wav", noise(5))
    untimed = _transcript(_said(0, 5, rate=RATE), samples=5 * RATE, timed=False, rate=RATE)
    two = _transcript(_said(0, 2, rate=RATE), _said(3, 5, rate=RATE), samples=5 * RATE, rate=RATE)
    ids = {}
    for mode in ("file", "segments"):
        for name, transcript in (("untimed", untimed), ("two", two)):
            ids[mode, name] = [one.id for one in world.outcomes("slice", transcript, mode=mode, join_s=0.0)]
    assert ids["file", "untimed"] == ids["file", "two"] == ["ann/one.wav"]
    assert all("#" in name for name in ids["segments", "untimed"])
    assert len(ids["segments", "two"]) == 2
    [whole] = world.outcomes("slice", two, mode="file", max_s=4.0)
    assert isinstance(whole, Filtered)
    assert whole.reason == "TooLong"


def _min_s(world: World) -> None:
    segments = _said(0, 1.8), _said(10, 12.5)
    assert _cuts(world, *segments, min_s=2.0) == [(1000, 1250)]
    assert _cuts(world, _said(0, 0.6), min_s=0.5) == [(0, 60)]


def _max_s(world: World) -> None:
    words = tuple(Word(f"w{n}", 110 * n, 110 * n + 100) for n in range(10))
    segment = replace(_said(0, 10.9, " ".join(word.text for word in words)), words=words)
    assert max(end - start for start, end in _cuts(world, segment, max_s=6.0)) <= 600
    assert len(_cuts(world, segment, max_s=6.0)) == 2
    assert _cuts(world, _said(0, 25), max_s=24.0) == []
    assert _cuts(world, _said(0, 25), max_s=26.0) == [(0, 2500)]


def _join_s(world: World) -> None:
    segments = _said(0, 2), _said(2.5, 4.5)
    assert _cuts(world, *segments, join_s=1.9) == [(0, 200), (250, 450)]
    assert _cuts(world, _said(0, 4), _said(4.5, 8.5), join_s=4.5) == [(0, 850)]


def _join(world: World) -> None:
    """The first sentence is said in two segments."""
    said = [_said(0, 4, "One two,"), _said(4.5, 8, "three four."), _said(8.5, 12, "Five six.")]
    plain = {"mode": "segments", "measure": False, "finish_s": 0.0, "search_s": 0.0}
    texts = {
        join: [row.text for row in world.outcomes("slice", _transcript(*said), join=join, **plain)]
        for join in ("short", "sentences")
    }
    assert texts["short"] == ["One two,", "three four.", "Five six."]
    assert texts["sentences"] == ["One two, three four.", "Five six."]


def _max_gap_s(world: World) -> None:
    segments = _said(0, 2), _said(3, 5)
    assert _cuts(world, *segments, max_gap_s=0.9) == [(0, 200), (300, 500)]
    assert _cuts(world, _said(0, 2), _said(4, 6), max_gap_s=2.1) == [(0, 600)]


def _margin_s(world: World) -> None:
    assert _cuts(world, _said(10, 12), margin_s=0.75) == [(925, 1275)]


def _search_s(world: World) -> None:
    """Also with a margin of 0, which once disabled it."""
    wave = noise(8)
    wave[round(4.6 * RATE) : round(4.7 * RATE)] = 0
    world.wav("ann/one.wav", wave)
    touching = _transcript(_said(0, 4, rate=RATE), _said(4, 8, rate=RATE), samples=8 * RATE, rate=RATE)
    plain = {"mode": "segments", "measure": False, "join_s": 0.0, "margin_s": 0.0}
    at = [world.outcomes("slice", touching, search_s=search, **plain)[0].end_samples for search in (0.0, 0.5, 0.9)]
    assert at[0] == 4 * RATE
    assert abs(at[1] - 4 * RATE) <= 0.5 * RATE
    assert 4.6 * RATE <= at[2] <= 4.7 * RATE


def _finish_s(world: World) -> None:
    """The sound goes on for 0.8 s after the segment's end."""
    wave = np.concatenate([noise(4.8), np.zeros(4 * RATE, np.float32)])
    world.wav("ann/one.wav", wave)
    told = _transcript(_said(1, 4, rate=RATE), samples=len(wave), rate=RATE)
    plain = {"mode": "segments", "measure": False, "margin_s": 0.0}
    ends = [world.outcomes("slice", told, finish_s=most, **plain)[0].end_samples / RATE for most in (0.0, 0.5, 1.0)]
    assert ends == pytest.approx([4.0, 4.0, 4.8], abs=0.03)


def _whole(world: World, **values: Any) -> tuple[float, float]:
    """Returns the seconds that stay of a wave: 1 s silent, 1 s soft, 2 s loud, 1 s soft, 1 s silent."""
    soft, loud, hush = noise(1, level=0.003), noise(2, level=0.1, seed=1), np.zeros(RATE, np.float32)
    world.wav("ann/one.wav", np.concatenate([hush, soft, loud, soft, hush]))
    transcript = _transcript(_said(0, 6, rate=RATE), samples=6 * RATE, timed=False, rate=RATE)
    [row] = world.outcomes("slice", transcript, measure=False, **values)
    return row.start_samples / RATE, row.end_samples / RATE


def _edge_s(world: World) -> None:
    assert _whole(world, edge_s=0.2) == pytest.approx((0.8, 5.2), abs=0.011)
    assert _whole(world, edge_s=0.8) == pytest.approx((0.2, 5.8), abs=0.011)
    told = _transcript(_said(0.7, 5.4, rate=RATE), samples=6 * RATE, rate=RATE)
    for edge_s, whole in ((0.75, True), (0.65, False)):
        [row] = world.outcomes("slice", told, measure=False, edge_s=edge_s)
        assert (row.id == "ann/one.wav") == whole, "with more room beside its only segment it would be cut"


def _silence_db(world: World) -> None:
    """The soft sound is 30 dB below the loud one."""
    assert _whole(world, silence_db=20.0, edge_s=0.0) == pytest.approx((2, 4), abs=0.011)


def _measure(world: World) -> None:
    world.wav("ann/one.wav", noise(2))
    transcript = _transcript(_said(0, 2, rate=RATE), samples=2 * RATE, timed=False, rate=RATE)
    found = {measure: world.outcomes("slice", transcript, measure=measure)[0].measures for measure in (True, False)}
    assert found[True].peak == pytest.approx(np.abs(noise(2)).max(), abs=1e-3)
    assert found[False] is None
    assert world.stage("slice", measure=False).finish(world.folder, []) == []


class _Listener:
    """Stand-in for the network, whose weights would have to be downloaded."""

    def __init__(self, path: Path, option: str) -> None:
        self.path = path

    def score(self, wave: Any) -> dict[str, float]:
        return {"sig": 4.0, "bak": 3.0, "ovrl": 2.5}


def _dnsmos_by_a_stand_in(world: World) -> None:
    heard = []
    world.patch.setattr("stages.slice.Dnsmos", lambda *given: heard.append(given) or _Listener(*given))
    world.wav("ann/one.wav", noise(2))
    transcript = _transcript(_said(0, 2, rate=RATE), samples=2 * RATE, timed=False, rate=RATE)
    [row] = world.outcomes("slice", transcript, dnsmos=str(world.folder / "sig_bak_ovr.onnx"))
    assert heard == [(world.folder / "sig_bak_ovr.onnx", "slice.dnsmos")]
    assert (row.measures.sig, row.measures.bak, row.measures.ovrl) == (4.0, 3.0, 2.5)


def _loudness_lufs(world: World) -> None:
    world.wav("ann/one.wav", noise(2))
    transcript = _transcript(_said(0, 2, rate=RATE), samples=2 * RATE, timed=False, rate=RATE)
    [row] = world.outcomes("slice", transcript, loudness_lufs=-33.0)
    assert row.gain_db == pytest.approx(-33.0 - row.measures.loudness_lufs, abs=1e-3)
    assert abs(row.gain_db) > 1


_MEASURES = Measures(
    snr_db=20.0,
    clipped=0.2,
    silence=0.4,
    peak=0.5,
    hash="ab",
    ovrl=3.0,
    bandwidth_hz=6000.0,
    srmr=5.0,
    begins_db=-40.0,
    ends_db=-20.0,
)


def _threshold(key: str, value: float, reason: str, **more: Any) -> Proof:
    """Proves a bound: an utterance of a known value is kept exactly if the value is on the right side of the bound."""

    def proof(world: World) -> None:
        world.patch.setattr("stages.slice.measure", lambda *_, **__: _MEASURES)
        world.patch.setattr("stages.slice.Dnsmos", _Listener)
        world.wav("ann/one.wav", noise(2))
        text = "a" * 20  # 10 a second
        transcript = _transcript(_said(0, 2, text, rate=RATE), samples=2 * RATE, timed=False, rate=RATE)
        lower = key.startswith("min_")
        little = abs(value) / 100
        for bound, stays in ((value - little, lower), (value, True), (value + little, not lower)):
            [found] = world.outcomes("slice", transcript, **{key: bound}, **more)
            assert isinstance(found, Utterance) == stays, bound
            assert stays or (isinstance(found, Filtered) and found.reason == reason)

    return proof


_SURE = Certainty(-0.5, 0.1, 1.75, "en", 0.8)


def _of_heard_text(key: str, value: float, reason: str) -> Proof:
    """Proves a bound on whisper's certainty: it counts for what was heard, and for no text that was given."""

    def proof(world: World) -> None:
        world.wav("ann/one.wav", noise(2))
        world.patch.setattr("stages.slice.voice_share", lambda _: 1.0)
        given = _said(0, 2, "a" * 20, rate=RATE)
        lower = key.startswith("min_")
        for bound, stays in ((value - 0.01, lower), (value, True), (value + 0.01, not lower)):
            for segment, kept in ((replace(given, certainty=_SURE), stays), (given, True)):
                transcript = _transcript(segment, samples=2 * RATE, timed=False, rate=RATE)
                bounds = {"min_avg_logprob": None, "max_compression": None, "drop_hallucinated": False, key: bound}
                [found] = world.outcomes("slice", transcript, **bounds)
                assert isinstance(found, Utterance) == kept, bound
                assert kept or found.reason == reason

    return proof


def _drop_hallucinated(world: World) -> None:
    world.wav("ann/one.wav", noise(2))
    world.patch.setattr("stages.slice.voice_share", lambda _: 1.0)
    heard = replace(_said(0, 2, "Thanks for watching!", rate=RATE), certainty=_SURE)
    transcript = _transcript(heard, samples=2 * RATE, timed=False, rate=RATE)
    [found] = world.outcomes("slice", transcript)
    assert found.reason == "Hallucinated"
    [kept] = world.outcomes("slice", transcript, drop_hallucinated=False)
    assert isinstance(kept, Utterance)


def _of_second_hearing(key: str, heard: str, reason: str) -> Proof:
    """Proves a bound on what a second model hears; it hears the text in one of the two recordings."""

    def proof(world: World) -> None:
        world.patch.setattr("stages.slice.SecondHearing", lambda *_: _Ear(["one two three four", heard] * 3))
        said = _said(0, 2, "one two three four", rate=RATE)
        transcript = _transcript(said, samples=2 * RATE, timed=False, rate=RATE)
        items = [replace(transcript, id=name) for name in ("ann/one.wav", "ann/two.wav")]
        for item in items:
            world.wav(item.id, noise(2))
        for bound, reasons in ((1.0, ["", ""]), (0.4, ["", reason]), (None, ["", ""])):
            config = world.section("slice", **{key: bound})
            stage = Slice(config, Context(world.folder, verify="model"))
            stage.setup()
            found = [one for outcomes in stage.process(items) for one in outcomes]
            assert [getattr(one, "reason", "") for one in found] == reasons, bound

    return proof


class _Ear:
    """Stand-in for a whisper model."""

    at_once = 1

    def __init__(self, says: list[str]) -> None:
        self._says = iter(says)

    def knows(self, _language: str) -> bool:
        return True

    def hear(self, waves: Any, _language: str) -> list[str]:
        return [next(self._says) for _ in waves]


def _same_language(world: World) -> None:
    text = "Guten Morgen, meine Damen und Herren, wie geht es Ihnen heute?"
    transcript = _transcript(_said(0, 3, text))
    plain = {"mode": "segments", "measure": False, "finish_s": 0.0}
    [left_out] = world.outcomes("slice", transcript, same_language=True, **plain)
    assert isinstance(left_out, Filtered)
    assert left_out.reason == "OtherLanguage"
    [kept] = world.outcomes("slice", transcript, same_language=False, **plain)
    assert isinstance(kept, Utterance)


SLICE: dict[str, Proof] = {
    "mode": _mode,
    "min_s": _min_s,
    "max_s": _max_s,
    "join_s": _join_s,
    "join": _join,
    "max_gap_s": _max_gap_s,
    "margin_s": _margin_s,
    "search_s": _search_s,
    "edge_s": _edge_s,
    "finish_s": _finish_s,
    "silence_db": _silence_db,
    "measure": _measure,
    "dnsmos": _dnsmos_by_a_stand_in,
    "loudness_lufs": _loudness_lufs,
    "min_characters_per_s": _threshold("min_characters_per_s", 10.0, "FewCharacters"),
    "max_characters_per_s": _threshold("max_characters_per_s", 10.0, "ManyCharacters"),
    "max_clipped": _threshold("max_clipped", 0.2, "Clipped"),
    "max_silence": _threshold("max_silence", 0.4, "Silence"),
    "min_snr_db": _threshold("min_snr_db", 20.0, "Noisy"),
    "min_bandwidth_hz": _threshold("min_bandwidth_hz", 6000.0, "NarrowBand"),
    "max_edge_db": _threshold("max_edge_db", -20.0, "MidSound"),
    "min_srmr": _threshold("min_srmr", 5.0, "Reverberant"),
    "min_dnsmos": _threshold("min_dnsmos", 3.0, "PoorQuality", dnsmos="sig_bak_ovr.onnx"),
    "same_language": _same_language,
    "drop_hallucinated": _drop_hallucinated,
    "min_avg_logprob": _of_heard_text("min_avg_logprob", -0.5, "Uncertain"),
    "max_compression": _of_heard_text("max_compression", 1.75, "Repetitive"),
    "min_language_probability": _of_heard_text("min_language_probability", 0.8, "UncertainLanguage"),
    "max_misheard": _of_second_hearing("max_misheard", "something else", "Misheard"),
    "max_misheard_edge": _of_second_hearing("max_misheard_edge", "one two three", "TightCut"),
}
