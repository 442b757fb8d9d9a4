import json
import unicodedata
from itertools import pairwise

import numpy as np
import pytest

from stages.corpora import piper
from stages.corpora.piper import SPEAKERS, Piper, Speaker, digest_of, find_voice, seed_of
from stages.errors import TextError, WeightsError
from stages.text.phonemes import phonemize

from .stand_in_voice import SAMPLES, SYMBOLS, write_voice

PLAIN = Speaker("plain", 1.0, 1.0)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return Piper(write_voice(tmp_path_factory.mktemp("voice")))


def test_speech_depends_on_text_speaker_and_seed_alone(voice):
    first = voice.speak("həlˈoʊ", PLAIN, 1)
    voice.speak("wˈɜːld", PLAIN, 5)
    assert np.array_equal(first, voice.speak("həlˈoʊ", PLAIN, 1)), "what was spoken before doesn't count"
    assert not np.array_equal(first, voice.speak("həlˈoʊ", PLAIN, 2))
    assert np.std(first - voice.speak("həlˈoʊ", PLAIN, 2)) > 0, "the noise is there"


def test_the_ids_are_pipers(voice):
    at = SYMBOLS.index
    assert voice.ids("hæ") == [at("^"), at("_"), at("h"), at("_"), at("æ"), at("_"), at("$")]
    composed = unicodedata.normalize("NFC", "n\u0329")
    assert voice.ids(composed)[2:-1:2] == [at("n"), at("\u0329")]


@pytest.mark.parametrize(
    ("phonemes", "told"), [("həχ", "no sound for χ"), ("?!", "something to say"), ("", "something")]
)
def test_what_it_cant_say_is_refused(voice, phonemes, told):
    with pytest.raises(TextError, match=told):
        voice.ids(phonemes)


@pytest.mark.parametrize("speaker", [*SPEAKERS, PLAIN], ids=lambda one: one.name)
def test_pitch_and_pace(voice, speaker):
    wave = voice.speak("hæ", speaker, 0)
    assert len(wave) == pytest.approx(7 * SAMPLES / speaker.pace, rel=0.01), "a pitch alone makes nothing longer"
    assert wave.dtype == np.float32


def test_speakers_differ():
    assert len({one.name for one in SPEAKERS}) == len(SPEAKERS) == 3
    pitches = sorted(one.pitch for one in SPEAKERS)
    assert min(b / a for a, b in pairwise(pitches)) > 1.03


def test_the_noise_begins_again_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(piper, "_NOISE", 1000)
    wave = Piper(write_voice(tmp_path)).speak("hæ", PLAIN, 0)
    assert len(wave) == 7 * SAMPLES


def test_seeds_are_of_all_parts():
    assert len({seed_of(0, "a", "b"), seed_of(1, "a", "b"), seed_of(0, "ab"), seed_of(0, "b", "a")}) == 4


def test_voices_that_arent_there_or_of_another_kind(tmp_path, monkeypatch):
    path = write_voice(tmp_path / "a")
    assert find_voice(path) == path
    other = digest_of(write_voice(tmp_path / "b", num_speakers=2))
    assert other != digest_of(path)
    with pytest.raises(WeightsError, match="one speaker"):
        Piper(tmp_path / "b" / "voice.onnx")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "voice.onnx").write_bytes(b"no protobuf")
    (tmp_path / "c" / "voice.onnx.json").write_text((tmp_path / "a" / "voice.onnx.json").read_text())
    with pytest.raises(WeightsError, match="must be an ONNX file"):
        Piper(tmp_path / "c" / "voice.onnx").speak("hæ", PLAIN, 0)
    (tmp_path / "c" / "voice.onnx.json").write_text(json.dumps({"audio": {}}))
    with pytest.raises(WeightsError, match="must be the settings"):
        Piper(tmp_path / "c" / "voice.onnx")
    (tmp_path / "c" / "voice.onnx.json").unlink()
    with pytest.raises(WeightsError, match=r"voice\.onnx\.json` isn't there"):
        find_voice(tmp_path / "c" / "voice.onnx")
    monkeypatch.setattr(piper, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="make setup EXTRAS=dev,piper"):
        find_voice(None)


def test_the_packaged_voice_says_every_phoneme_of_english():
    """Fails where the extra is there and its symbols lack one of ours; else it is skipped."""
    pytest.importorskip(piper.PACKAGE, reason="the extra `piper` isn't installed")
    from itertools import islice

    from stages.corpora.modern import modern_sentences

    real = Piper(find_voice(None))
    for phonemes in phonemize(list(islice(modern_sentences(), 450)), "en"):
        real.ids(phonemes)
    wave = real.speak(phonemes, SPEAKERS[0], 0)
    assert 1 < len(wave) / real.sample_rate < 8
    assert np.abs(wave).max() > 0.1
