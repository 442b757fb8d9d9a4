"""Thresholds: each filters what crosses it, and changing one measures nothing again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.audio import files as audio
from stages.base import Context, Filtered
from stages.config import Config, load_config
from stages.errors import ConfigError
from stages.g2p import G2p, G2pConfig
from stages.listeners.dnsmos import Dnsmos
from stages.records import Certainty, HeardAgain, Measures, Segment, Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.utterances.filters import G2P_RULES, SLICE_RULES, broken, in_other_language

MEASURES = Measures(
    snr_db=12.0,
    clipped=0.02,
    silence=0.3,
    peak=1.0,
    hash="0" * 16,
    sig=3.0,
    bak=3.5,
    ovrl=2.9,
    bandwidth_hz=10_750.0,
    srmr=4.5,
    begins_db=-18.5,
)
ROW = replace(
    Utterance("a.wav", "a.wav", "g", "s", "en", 0, 32_000, 16_000, "x" * 30, "ˈabc, " * 6, measures=MEASURES),
    certainty=Certainty(-0.5, 0.1, 1.75, "en", 0.8),
    again=HeardAgain("xx", 0.25, 0.125, 0.375),
)


class Root(Config):
    slice: SliceConfig = SliceConfig()
    g2p: G2pConfig = G2pConfig()


@pytest.mark.parametrize("key", ["slice.{}_characters_per_s", "g2p.{}_phonemes_per_s", "slice.{}_s"])
def test_contradicting_bounds_are_refused(key: str) -> None:
    low, high = key.format("min"), key.format("max")
    with pytest.raises(ConfigError, match=rf"`{high}` must be greater than `{low}` \(20\), but is 10; .*--set {high}"):
        load_config(Root, sets=[f"{low}=20.0", f"{high}=10.0"])
    assert load_config(Root, sets=[f"{low}=10.0", f"{high}=10.5"])


# Of ROW, which is 2 s long: 30 characters, and phonemes that are six times `ˈabc,`.
BOUNDS = [
    ("slice.min_avg_logprob", "Uncertain", -0.5, -0.51, -0.49),
    ("slice.max_compression", "Repetitive", 1.75, 1.8, 1.7),
    ("slice.min_language_probability", "UncertainLanguage", 0.8, 0.79, 0.81),
    ("slice.max_misheard", "Misheard", 0.25, 0.26, 0.24),
    ("slice.max_misheard_edge", "TightCut", 0.375, 0.38, 0.37),
    ("slice.min_characters_per_s", "FewCharacters", 15.0, 14.9, 15.1),
    ("slice.max_characters_per_s", "ManyCharacters", 15.0, 15.1, 14.9),
    ("slice.max_clipped", "Clipped", 0.02, 0.021, 0.019),
    ("slice.max_silence", "Silence", 0.3, 0.31, 0.29),
    ("slice.min_snr_db", "Noisy", 12.0, 11.9, 12.1),
    ("slice.min_bandwidth_hz", "NarrowBand", 10_750.0, 10_500.0, 11_000.0),
    ("slice.max_edge_db", "MidSound", -18.5, -18.4, -18.6),
    ("slice.min_srmr", "Reverberant", 4.5, 4.0, 5.0),
    ("slice.min_dnsmos", "PoorQuality", 2.9, 2.8, 3.0),
    ("g2p.min_phonemes_per_s", "FewPhonemes", 9.0, 8.9, 9.1),
    ("g2p.max_phonemes_per_s", "ManyPhonemes", 9.0, 9.1, 8.9),
]


@pytest.mark.parametrize(("key", "reason", "value", "keeps", "leaves_out"), BOUNDS)
def test_each_threshold_leaves_out_what_crosses_it(
    key: str, reason: str, value: float, keeps: float, leaves_out: float
) -> None:
    section, _, name = key.partition(".")
    rules = SLICE_RULES if section == "slice" else G2P_RULES

    def judged(bound: float) -> Filtered | None:
        sets = [f"{key}={bound}", *(["slice.dnsmos=some.onnx"] if "dnsmos" in key else [])]
        return broken(ROW, rules, getattr(load_config(Root, sets=sorted(sets)), section), section)

    assert judged(value) is None, "a bound is kept by what equals it"
    assert judged(keeps) is None
    left_out = judged(leaves_out)
    assert left_out is not None
    assert (left_out.reason, left_out.cut) == (reason, ROW)
    assert left_out.message.startswith(f"{value:g} ")
    told, _, more = left_out.message.partition(";")
    assert told.endswith(f"{'under' if name.startswith('min_') else 'over'} `{key}` ({leaves_out:g})")
    tells = {"misheard": " first word 0.12, last 0.38; heard `xx`", "edge_db": " beginning -18.5, end quiet"}
    assert more == next((said for name, said in tells.items() if name in key), "")
    assert Filtered.from_json(left_out.to_json()) == left_out


def test_every_rule_has_its_bounds_here() -> None:
    rules = [("slice", rule) for rule in SLICE_RULES] + [("g2p", rule) for rule in G2P_RULES]
    assert [(f"{section}.{rule.key}", rule.reason) for section, rule in rules] == [bound[:2] for bound in BOUNDS]


def test_what_isnt_measured_can_t_be_filtered_by() -> None:
    strict = SliceConfig(min_snr_db=99.0, min_avg_logprob=0.0, max_compression=0.1, max_misheard=0.0)
    assert broken(ROW, SLICE_RULES, strict, "slice")
    given = ROW.bare()
    assert (given.measures, given.certainty, given.again) == (None, None, None)
    assert broken(given, SLICE_RULES, strict, "slice") is None
    with pytest.raises(ConfigError, match=r"min_snr_db.*leave `slice\.measure` at true"):
        load_config(Root, sets=["slice.measure=false", "slice.min_snr_db=5.0"])
    with pytest.raises(ConfigError, match=r"loudness_lufs.*leave `slice\.measure` at true"):
        load_config(Root, sets=["slice.measure=false", "slice.loudness_lufs=-23.0"])
    with pytest.raises(ConfigError, match=r"min_dnsmos.*needs `slice\.dnsmos`"):
        load_config(Root, sets=["slice.min_dnsmos=3.0"])


def test_text_in_another_language() -> None:
    german = "Das Wetter war schön, deshalb gingen wir am Fluss entlang."
    found = in_other_language(replace(ROW, text=german))
    assert found is not None
    assert (found.reason, found.message) == ("OtherLanguage", "the text is in `de`, but the utterance is labelled `en`")
    assert in_other_language(replace(ROW, text=german, language="de")) is None
    arabic = in_other_language(replace(ROW, text="الطقس جميل اليوم ونحن نمشي"))
    assert arabic
    assert arabic.reason == "OtherLanguage"
    assert in_other_language(replace(ROW, text="Ja, danke.")) is None


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Five seconds: a clean buzz, a noisy one, a clipped one."""
    rate, rng = 16_000, np.random.default_rng(0)
    time_s = np.arange(rate) / rate
    buzz = 0.2 * np.sin(2 * np.pi * 150 * time_s) * np.abs(np.sin(2 * np.pi * 2 * time_s)) ** 3
    pause = 1e-4 * rng.normal(size=rate // 2)
    parts = [pause, buzz, pause, buzz + 0.1 * rng.normal(size=rate), pause, 30 * buzz, pause]
    audio.write_wav(tmp_path / "a.wav", np.concatenate(parts).astype(np.float32), rate)
    return tmp_path


def test_thresholds_are_changed_without_reading_audio(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [(0.5, 1.5), (2.0, 3.0), (3.5, 4.5)]
    segments = tuple(
        Segment(round(a * 16_000), round(b * 16_000), text, "en") for (a, b), text in zip(spans, "abc", strict=True)
    )
    source = Transcript("a.wav", "", "s", 16_000, 80_000, "en", "json", timed=True, segments=segments)
    shared = {"mode": "segments", "join_s": 0.0}
    configs = [
        SliceConfig(**shared),
        SliceConfig(**shared, min_snr_db=8.0),
        SliceConfig(**shared, max_clipped=0.1, loudness_lufs=-23.0),
        SliceConfig(**shared, min_characters_per_s=5.0),
    ]
    stages = [Slice(config, Context(voices)) for config in configs]
    fresh = [stage.process([source])[0] for stage in stages]
    assert [[type(one).__name__ for one in outcomes] for outcomes in fresh] == [
        ["Utterance"] * 3,
        ["Utterance", "Filtered", "Utterance"],
        ["Utterance", "Utterance", "Filtered"],
        ["Filtered"] * 3,
    ]
    monkeypatch.setattr(audio, "read", None)
    for stage, outcomes in zip(stages, fresh, strict=True):
        for other in fresh:
            carried = sorted(other, key=lambda one: isinstance(one, Filtered))
            assert stage.basis(source) == stages[0].basis(source)
            assert stage.revise(source, carried) == outcomes
    wider = Slice(SliceConfig(**shared, margin_s=0.2), Context(voices))
    assert wider.basis(source) != stages[0].basis(source)


def test_g2p_filters_by_phonemes_and_drops_the_measures(tmp_path: Path) -> None:
    row = replace(ROW, text="Hello there.", phonemes="")
    context = Context(tmp_path)
    stage, strict = G2p(G2pConfig(), context), G2p(G2pConfig(min_phonemes_per_s=20.0), context)
    [[full]], [[slow]] = stage.process([row]), strict.process([row])
    assert isinstance(full, Utterance)
    assert full == replace(full.bare(), phonemes=full.phonemes)
    assert isinstance(slow, Filtered)
    assert (slow.reason, slow.cut) == ("FewPhonemes", full)
    assert stage.revise(row, [slow]) == [full]
    assert strict.revise(row, [full]) == [slow]
    assert row.content() == row.bare().content()


def test_dnsmos_is_measured_where_its_weights_are_given(voices: Path, speech: Path) -> None:
    weights = speech.parent / "dnsmos" / "sig_bak_ovr.onnx"
    if not weights.is_file():
        pytest.skip("no DNSMOS weights beside the checkout")
    source = Transcript(
        "a.wav", "", "s", 16_000, 80_000, "en", "txt", timed=False, segments=(Segment(0, 80_000, "buzz", "en"),)
    )
    stage = Slice(SliceConfig(dnsmos=str(weights), min_dnsmos=4.9), Context(voices))
    assert stage.revision()
    assert stage.check([]) == []
    stage.setup()
    [[left_out]] = stage.process([source])
    assert isinstance(left_out, Filtered)
    assert left_out.reason == "PoorQuality"
    assert left_out.cut
    wave, _ = audio.read(voices / "a.wav", left_out.cut.start_samples, left_out.cut.end_samples)
    scores = Dnsmos(weights).score(wave)
    assert {name: getattr(left_out.cut.measures, name) for name in scores} == pytest.approx(scores, abs=1e-3)
    missing = Slice(SliceConfig(dnsmos="none.onnx"), Context(voices))
    assert "`slice.dnsmos` must be DNSMOS" in missing.check([])[0]
