"""The stage `mix`: levels, the choice of files, and which mixtures are filtered or rejected."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages import mix
from stages.artefacts.manifest import CODEC
from stages.audio import files as audio
from stages.audio.mixing import at_snr, limited, shifted, stretch
from stages.base import Context, Filtered, Reject
from stages.codecs.table import codec_identity, load_codec
from stages.corpora.scan import scan
from stages.errors import CodecError, MissingInputError, UsageError
from stages.mix import Mix, MixConfig, candidates
from stages.records import Encoded, Utterance, Wave, to_line
from stages.store.reader import open_store

RATE = 24_000
EVERY = {"noise": "noise", "speech": "voices", "shift": True}


def tone(hertz: float, seconds: float, rate: int = RATE, level: float = 0.2) -> Wave:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def rms(wave: Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers (real speech if it is there), noise, and the codec of `encode`."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    real = Path(__file__).resolve().parents[3] / "shared" / "speech" / "fsdd"
    for number, speaker in enumerate(("anna", "ben")):
        source = real / ("george", "jackson")[number] / f"3_{('george', 'jackson')[number]}_10.wav"
        wave, rate = audio.read(source) if source.is_file() else (tone(200 + 90 * number, 0.5, 8000), 8000)
        audio.write_wav(folder / "voices" / speaker / "three.wav", wave, rate)
    for number in range(4):
        audio.write_wav(folder / "noise" / f"{number}.wav", rng.normal(0, 0.1, 16_000 * (1 + number) // 2), 16_000)
    (folder / "encode").mkdir()
    (folder / "encode" / CODEC).write_text(to_line(codec_identity("embedded").to_json()))
    return folder


def stage(world: Path, **values: object) -> Mix:
    folders = {key: str(world / str(values[key])) for key in ("noise", "speech") if values.get(key)}
    made = Mix(MixConfig.model_validate({**values, **folders}), Context(world / "voices", world))
    made.setup()
    return made


def item(world: Path, speaker: str) -> Encoded:
    name = f"{speaker}/three.wav"
    info = audio.probe(world / "voices" / name)
    end = info.samples
    row = Utterance(name, name, "", speaker, "en", 0, end, info.sample_rate, "three", "θɹiː", -(-end * 75 // 8000))
    return Encoded(row, np.zeros((8, row.frames), np.uint16))


def outputs(made: Mix, *items: Encoded) -> dict[str, Encoded]:
    found = [one for outcomes in made.process(items) for one in outcomes]
    assert all(isinstance(one, Encoded) for one in found)
    return {one.id: one for one in found}  # type: ignore[misc]


@given(st.floats(-10, 30), st.integers(0, 9))
def test_noise_has_the_requested_snr(snr_db: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speech, noise = (rng.normal(0, level, 4000).astype(np.float32) for level in (0.1, 0.9))
    scaled = at_snr(speech, noise, snr_db)
    assert 20 * np.log10(rms(speech) / rms(scaled)) == pytest.approx(snr_db, abs=1e-3)
    noisy, alone = limited(speech + scaled, scaled)
    assert np.abs(noisy).max() <= 1
    assert 20 * np.log10(rms(noisy - alone) / rms(alone)) == pytest.approx(snr_db, abs=1e-2), "one gain for both"


def test_a_shift_moves_the_pitch_and_keeps_the_length() -> None:
    wave = tone(300, 0.6)
    for semitones in (-6.0, 2.0, 5.0):
        made = shifted(wave, RATE, semitones)
        assert made.shape == wave.shape
        spectrum = np.abs(np.fft.rfft(made[3000:-3000] * np.hanning(len(made) - 6000)))
        peak = np.argmax(spectrum) * RATE / (len(made) - 6000)
        assert peak == pytest.approx(300 * 2 ** (semitones / 12), abs=4)
    assert shifted(tone(300, 0.01), RATE, 3.0).shape == (240,)


def test_a_stretch_lies_where_it_is_drawn_and_short_files_are_repeated(tmp_path: Path) -> None:
    ramp = np.linspace(0, 0.9, 16_000, dtype=np.float32)
    audio.write_wav(tmp_path / "ramp.wav", ramp, 16_000)
    np.testing.assert_allclose(stretch(tmp_path / "ramp.wav", 4000, 16_000, 0.5), ramp[6000:10_000], atol=1e-4)
    assert len(stretch(tmp_path / "ramp.wav", 15_000, 24_000, 0.999)) == 15_000
    repeated = stretch(tmp_path / "ramp.wav", 40_000, 16_000, 0.7)
    np.testing.assert_allclose(repeated, np.concatenate([ramp, ramp, ramp])[:40_000], atol=1e-4)


def test_every_mixture_is_as_long_as_the_utterance_and_made_of_the_right_waves(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stage(world, **EVERY)
    waves: list[Wave] = []
    honest = made._codec.encode_arrays

    def encode(given):
        waves.extend(given)
        return honest(given)

    monkeypatch.setattr(made._codec, "encode_arrays", encode)
    anna = item(world, "anna")
    found = outputs(made, anna)
    assert list(found) == [f"{anna.id}@{kind}" for kind in ("noisy", "noise", "overlaid", "shifted")]
    for one in found.values():
        assert one.utterance.frames == one.codes_KT.shape[1] == anna.utterance.frames
        assert (one.utterance.speaker, one.utterance.text) == ("anna", "three")
    noisy, noise, overlaid, _ = waves
    path, end = world / "voices" / anna.utterance.recording, anna.utterance.end_samples
    speech = audio.read_cut(path, 0, end, RATE)
    np.testing.assert_allclose(noisy - noise, speech * (rms(noisy - noise) / rms(speech)), atol=1e-5)
    assert -5 <= 20 * np.log10(rms(noisy - noise) / rms(noise)) <= 20
    assert 0.5 - 1e-3 <= rms(overlaid - speech) / rms(speech) <= 0.75 + 1e-3
    [expected_KT] = load_codec("embedded").encode([torch.from_numpy(noisy)])
    np.testing.assert_array_equal(found[f"{anna.id}@noisy"].codes_KT, expected_KT.numpy())


def test_the_snr_covers_its_range(world: Path) -> None:
    made = stage(world, **EVERY)
    drawn = [made._between(made.config.snr_db, f"{n}.wav", "snr") for n in range(500)]
    assert min(drawn) < -4.5
    assert max(drawn) > 19.5
    assert np.mean(drawn) == pytest.approx(7.5, abs=1)


def test_the_mixtures_depend_on_neither_batch_nor_path(world: Path, tmp_path: Path) -> None:
    items = [item(world, "anna"), item(world, "ben")]
    together = outputs(stage(world, **EVERY), *items)
    moved = Path(shutil.copytree(world, tmp_path / "moved"))
    alone = stage(moved, **EVERY, batch_size=1)
    assert alone.parameters() == stage(world, **EVERY).parameters()
    for one in items:
        for uid, found in outputs(alone, one).items():
            np.testing.assert_array_equal(found.codes_KT, together[uid].codes_KT)
    other = outputs(stage(world, **EVERY, seed=1), *items)
    assert any((found.codes_KT != together[uid].codes_KT).any() for uid, found in other.items())


def test_an_added_or_changed_file_is_noticed(world: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(world, tmp_path / "moved"))
    before = stage(moved, **EVERY).revision()
    (moved / "noise" / "readme.txt").write_text("no noise")
    assert stage(moved, **EVERY).revision() == before
    audio.write_wav(moved / "noise" / "5.wav", tone(100, 0.2), RATE)
    assert stage(moved, **EVERY).revision() != before
    assert stage(moved, shift=True).revision() == ""


def test_of_many_files_those_with_the_smallest_hashes_are_taken(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.wav").write_bytes(bytes(number))
    few = candidates(tmp_path, most=10)
    assert len(few) == 10
    assert {one.path: one.bytes for one in few} == {one.path: int(one.path[:-4]) for one in few}
    (tmp_path / "another.wav").write_bytes(b"1")
    again = candidates(tmp_path, most=10)
    assert len({one.path for one in few} & {one.path for one in again}) >= 9
    with pytest.raises(UsageError, match="must be a folder of recordings"):
        candidates(tmp_path / "gone")


def test_an_interferer_is_never_the_speaker(world: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(world, tmp_path / "moved"))
    shutil.rmtree(moved / "voices" / "ben")
    made = stage(moved, speech="voices", shift=True)
    [[left_out, other]] = made.process([item(moved, "anna")])
    assert isinstance(left_out, Filtered)
    assert (left_out.id, left_out.reason) == ("anna/three.wav@overlaid", "NoOtherSpeaker")
    assert other.id == "anna/three.wav@shifted"


def test_candidates_get_speakers_like_recordings(world: Path, tmp_path: Path) -> None:
    librispeech, voices, others = (tmp_path / name for name in ("LibriSpeech", "voices", "others"))
    shutil.copytree(world / "encode", tmp_path / "encode")
    wave, rate = audio.read(world / "voices" / "anna" / "three.wav")
    for chapter in ("103/1240", "103/1241", "84/121"):
        name = chapter.replace("/", "-")
        (librispeech / chapter).mkdir(parents=True)
        soundfile.write(librispeech / chapter / f"{name}-0000.flac", wave, rate)
        (librispeech / chapter / f"{name}.trans.txt").write_text(f"{name}-0000 THREE\n")
    for place in ("show/one.wav", "show/two.wav", "ben/three.wav"):
        audio.write_wav(voices / place, wave, rate)
    (others / "a").mkdir(parents=True)
    for name in ("one", "two"):
        (others / "a" / f"{name}.wav").symlink_to(voices / "show" / f"{name}.wav")

    def mixed_in(recordings: Path, speech: Path, uid: str, speaker: str) -> set[str]:
        made = Mix(MixConfig(speech=str(speech)), Context(recordings, tmp_path))
        made.setup()
        drawn: list[str] = []
        made._stretch = lambda _, files, *__: drawn.extend(one.path for one in files)  # type: ignore[method-assign]
        row = Utterance(uid, uid, "", speaker, "en", 0, len(wave), rate, "three", "θɹiː", 9)
        made.process([Encoded(row, np.zeros((8, 9), np.uint16))])
        return set(drawn)

    reader = next(found for found in scan(librispeech).recordings if "1240" in found.id)
    assert mixed_in(librispeech, librispeech, reader.id, reader.speaker) == {"84/121/84-121-0000.flac"}
    assert mixed_in(voices, voices, "show/one.wav", "show/one:SPEAKER_00") == {"ben/three.wav"}
    assert mixed_in(voices, others, "show/one.wav", "show") == {"a/two.wav"}, "never the recording itself"


def test_an_unusable_folder_affects_only_its_own_mixtures(world: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(world, tmp_path / "moved"))
    for path in (moved / "noise").iterdir():
        path.write_bytes(b"no audio")
    audio.write_wav(moved / "noise" / "silent.wav", np.zeros(8000, np.float32), 8000)
    made = stage(moved, **EVERY)
    [[reject, *others]] = made.process([item(moved, "anna")])
    assert isinstance(reject, Reject)
    assert (reject.id, reject.reason) == ("anna/three.wav@noisy", "NothingToMix")
    assert [one.id.partition("@")[2] for one in others] == ["overlaid", "shifted"]
    audio.write_wav(moved / "noise" / "sound.wav", tone(100, 1), RATE)
    assert len(outputs(stage(moved, **EVERY), item(moved, "anna"))) == 4, "the next file is tried"


def test_a_bad_utterance_rejects_itself_only_and_silence_is_filtered(world: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(world, tmp_path / "moved"))
    anna, ben = item(moved, "anna"), item(moved, "ben")
    audio.write_wav(moved / "voices" / "anna" / "three.wav", np.zeros(8000, np.float32), 8000)
    (moved / "voices" / "ben" / "three.wav").write_bytes(b"no audio")
    [[silent], [broken]] = stage(moved, shift=True).process([anna, ben])
    assert isinstance(silent, Filtered)
    assert (silent.id, silent.reason) == (anna.id, "Silent")
    assert isinstance(broken, Reject)
    assert broken.id == ben.id
    assert str(moved) not in broken.message


def test_nothing_to_mix_and_missing_folders_are_problems(world: Path) -> None:
    context = Context(world / "voices", world)
    assert not Mix(MixConfig(), context).wanted()
    [problem] = Mix(MixConfig(), context).check([])
    assert "set `mix.noise`, `mix.speech` or `mix.shift`" in problem
    both = Mix(MixConfig(noise=str(world / "gone"), speech=str(world / "encode")), context)
    assert both.wanted()
    assert ["gone" in both.check([])[0], "but holds" in both.check([])[1]] == [True, True]
    assert Mix(MixConfig(shift=True), context).check([]) == []


def test_folders_may_begin_at_home(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(world))
    made = Mix(MixConfig(noise="~/noise", speech="~/voices"), Context(world / "voices", world))
    assert made.check([]) == []
    made.setup()
    assert len(outputs(made, item(world, "anna"))) == 3


def test_the_codec_is_that_of_encode(world: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="Run `valle-prep encode"):
        Mix(MixConfig(shift=True), Context(world / "voices", tmp_path)).setup()
    (tmp_path / "encode").mkdir()
    about = {**codec_identity("embedded").to_json(), "revision": "0" * 16}
    (tmp_path / "encode" / CODEC).write_text(json.dumps(about))
    with pytest.raises(CodecError, match="`revision` must be '0000000000000000'"):
        Mix(MixConfig(shift=True), Context(world / "voices", tmp_path)).setup()


def test_ranges_that_make_no_sense_are_refused() -> None:
    for values in ({"snr_db": [20, -5]}, {"gain": [0, 1]}, {"semitones": [-2, 3]}):
        with pytest.raises(ValueError, match="must"):
            MixConfig.model_validate(values)


def test_the_mixtures_are_a_store_of_their_own(world: Path, tmp_path: Path) -> None:
    made = stage(world, shift=True)
    (tmp_path / "mix").mkdir()
    made.format.write({"h5": tmp_path / "mix" / "00000-of-00016.h5"}, list(outputs(made, item(world, "anna")).values()))
    assert made.finish(tmp_path / "mix", ["00000-of-00016"]) == ["index.h5"]
    store = open_store(tmp_path / "mix")
    assert list(store.ids) == ["anna/three.wav@shifted"]
    assert store.codec == codec_identity("embedded")


def test_a_source_is_read_no_further_than_its_cut(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked = stage(world, shift=True), []
    honest = audio.read_cut
    monkeypatch.setattr(
        mix.audio, "read_cut", lambda *given, **rest: asked.append(given[1:3]) or honest(*given, **rest)
    )
    cut = item(world, "anna")
    row = Utterance(**{**cut.utterance.to_json(), "start_samples": 800, "end_samples": 2400})
    [[found]] = made.process([Encoded(row, cut.codes_KT)])
    assert asked == [(800, 2400)]
    assert isinstance(found, Encoded)
    assert found.utterance.frames == 15
