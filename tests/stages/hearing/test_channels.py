"""Recordings with a voice on each channel: an id, a speaker and the own words for each."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.audio import files as audio
from stages.base import Context, Filtered, Reject
from stages.corpora.scan import scan
from stages.encode import Encode, EncodeConfig
from stages.hearing.channels import apart, without_the_other
from stages.ids import channel_id, channel_of, file_of, path_of
from stages.records import Segment, Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig
from tests.stages.audio.kinds import RATE, voice

TURNS = [(0.0, 2.0, "left", "Good morning, who is there?"), (2.2, 4.4, "right", "Good morning, this is Anna.")]


def call(folder: Path, suffix: str = ".wav", *, named: str = "") -> np.ndarray:
    """Writes a telephone call with its transcript; returns its channels."""
    stereo = 0.002 * np.random.default_rng(0).standard_normal((5 * RATE, 2)).astype(np.float32)
    segments = []
    for start, end, side, text in TURNS:
        place = slice(round(start * RATE), round(end * RATE))
        stereo[place, 0 if side == "left" else 1] += voice(end - start)
        segments.append({"start": start, "end": end, "text": text} | ({"speaker": named % side} if named else {}))
    (folder / "calls").mkdir(exist_ok=True)
    soundfile.write(folder / f"calls/one{suffix}", stereo, RATE)
    (folder / "calls/one.json").write_text(json.dumps({"language": "en", "segments": segments}))
    return stereo


def transcribed(folder: Path, **config) -> list:
    stage = Transcribe(TranscribeConfig(transcripts="require", **config), Context(folder))
    [outcomes] = stage.process(scan(folder).recordings)
    return outcomes


@pytest.mark.parametrize(("suffix", "named"), [(".wav", ""), (".mp3", "%s"), (".ogg", "SPEAKER_%s")])
def test_split_channels_go_through_all_stages(suffix: str, named: str, tmp_path: Path) -> None:
    call(tmp_path, suffix, named=named)
    whole, _ = soundfile.read(tmp_path / f"calls/one{suffix}", dtype="float32")
    left, right = transcribed(tmp_path, channels="split")
    assert [left.id, right.id] == [f"calls/one{suffix}@left", f"calls/one{suffix}@right"]
    assert [left.speaker, right.speaker] == ["calls/one:left", "calls/one:right"]
    assert [[s.text for s in part.segments] for part in (left, right)] == [[TURNS[0][3]], [TURNS[1][3]]]
    rows = [row for [row] in Slice(SliceConfig(), Context(tmp_path)).process([left, right])]
    assert all(isinstance(row, Utterance) for row in rows)
    for index, row in enumerate(rows):
        assert (row.recording, row.speaker) == ((left, right)[index].id, (left, right)[index].speaker)
        wave, _ = audio.read(Context(tmp_path).place(row.recording), row.start_samples, row.end_samples)
        np.testing.assert_allclose(wave, whole[row.start_samples : row.end_samples, index], atol=1e-6)
        assert row.measures
        assert row.measures.peak == pytest.approx(np.abs(wave).max(), abs=1e-5)
    encode = Encode(EncodeConfig(codec="embedded"), Context(tmp_path))
    encode.setup()
    both = [codes.codes_KT for [codes] in encode.process(rows)]
    alone = tmp_path / "alone.wav"
    for row, codes, index in zip(rows, both, (0, 1), strict=True):
        soundfile.write(alone, whole[row.start_samples : row.end_samples, index], RATE, subtype="FLOAT")
        [again] = encode._codec.encode([encode_wave(alone, encode)])
        np.testing.assert_array_equal(codes, again.numpy())


def encode_wave(path: Path, encode: Encode):
    import torch

    return torch.tensor(audio.read_at(path, encode._codec.sample_rate))


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_channel_is_taken_alone(side: str, tmp_path: Path) -> None:
    stereo = call(tmp_path)
    [found] = transcribed(tmp_path, channels=side)
    assert (found.id, found.speaker) == (f"calls/one.wav@{side}", "calls")
    assert len(found.segments) == 2
    wave, _ = audio.read(Context(tmp_path).place(found.id))
    np.testing.assert_allclose(wave, stereo[:, int(side == "right")], atol=1e-4)


def test_a_recording_of_one_channel_is_taken_as_it_is(tmp_path: Path) -> None:
    call(tmp_path)
    soundfile.write(tmp_path / "calls/one.wav", voice(5.0), RATE)
    for channels in ("mix", "left", "right", "split"):
        [found] = transcribed(tmp_path, channels=channels)
        assert (found.id, found.speaker) == ("calls/one.wav", "calls")


def test_what_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    call(tmp_path)
    (tmp_path / "calls/one.json").unlink()
    (tmp_path / "calls/one.txt").write_text("Good morning, who is there? Good morning, this is Anna.")
    [found] = transcribed(tmp_path, channels="split")
    assert isinstance(found, Reject)
    assert (found.reason, found.id) == ("UnusableText", "calls/one.wav")
    soundfile.write(tmp_path / "calls/one.wav", np.stack([voice(2.0)] * 3, axis=1), RATE)
    [found] = transcribed(tmp_path, channels="split")
    assert isinstance(found, Reject)
    assert found.reason == "NoChannel"
    [found] = transcribed(tmp_path, channels="mix")
    assert isinstance(found, Transcript)


def test_a_silent_channel_costs_nothing_else(tmp_path: Path) -> None:
    stereo = call(tmp_path)
    soundfile.write(tmp_path / "calls/one.wav", np.stack([stereo[:, 0], 0 * stereo[:, 1]], axis=1), RATE)
    left, right = transcribed(tmp_path, channels="split")
    assert [s.text for s in left.segments] == [TURNS[0][3], TURNS[1][3]]
    assert isinstance(right, Filtered)
    assert (right.id, right.reason) == ("calls/one.wav@right", "NoSpeech")


def test_the_id_of_a_channel_names_its_file() -> None:
    for channel in ("mix", "left", "right"):
        item_id = channel_id("a/b@x.wav", channel)
        assert (channel_of(item_id), file_of(item_id), path_of(item_id)) == (channel, "a/b@x.wav", "a/b@x.wav")


def test_only_unusual_recordings_have_other_fingerprints(tmp_path: Path) -> None:
    call(tmp_path)
    (tmp_path / "calls/two.wav").write_bytes(b"")
    soundfile.write(tmp_path / "calls/two.wav", voice(1.0), RATE)
    soundfile.write(tmp_path / "calls/three.wav", 32_768 * voice(1.0), RATE, subtype="FLOAT")
    stage, split = (
        Transcribe(TranscribeConfig(transcripts="require", channels=channels), Context(tmp_path))
        for channels in ("mix", "split")
    )
    marks = {r.id: stage.item_parameters(r)[3:] for r in scan(tmp_path).recordings}
    assert marks == {
        "calls/one.wav": [["mix of 2"]],
        "calls/three.wav": [["scaled by 1/32768 (16-bit integers)"]],
        "calls/two.wav": [],
    }
    assert all(split.item_parameters(r)[-1][-1] == "split" for r in scan(tmp_path).recordings)


@pytest.mark.parametrize("name", ["one.wav@left", "one.raw"])
def test_a_cut_goes_on_to_the_pause_of_its_own_sound(name: str, tmp_path: Path) -> None:
    """The left one's caption ends 0.3 s early, while the right one speaks on; a raw file's format isn't in the file."""
    left, right = (0.002 * np.random.default_rng(seed).standard_normal(5 * RATE) for seed in (1, 2))
    left[RATE // 2 : 2 * RATE] += voice(1.5)
    right += voice(5.0)
    if name == "one.raw":
        (tmp_path / name).write_bytes((32_767 * left.clip(-1, 1)).astype("<i2").tobytes())
    else:
        soundfile.write(tmp_path / "one.wav", np.stack([left, right], axis=1), RATE)
    said = Segment(RATE // 2, round(1.7 * RATE), "Good morning.", "en")
    row = Transcript(name, "", "anna", RATE, 5 * RATE, "en", "srt", True, (said,))
    [[cut]] = Slice(SliceConfig(), Context(tmp_path, raw=f"s16le {RATE} 1")).process([row])
    assert isinstance(cut, Utterance), cut
    assert cut.end_samples / RATE == pytest.approx(2.1, abs=0.06)


def test_two_voices_in_two_channels_are_told_from_one_in_both(tmp_path):
    rate, quiet = 8_000, np.zeros(8_000, np.float32)
    voice = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    alternating = np.stack([np.concatenate([voice, quiet] * 3), np.concatenate([quiet, voice] * 3)], axis=1)
    same = np.stack([np.concatenate([voice, quiet] * 3), 0.3 * np.concatenate([voice, quiet] * 3)], axis=1)
    deaf = np.stack([np.concatenate([voice, quiet] * 3), np.zeros(6 * rate, np.float32)], axis=1)
    bled = alternating + 0.1 * alternating[:, ::-1]
    named = {"bled": bled, "call": alternating, "stereo": same, "deaf": deaf, "mono": same[:, 0]}
    for name, wave in named.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, rate)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert apart(scan(tmp_path).recordings, Context(tmp_path)) == ["bled.wav", "call.wav"]


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_channel_is_heard_without_what_its_microphone_catches_of_the_other(gain: float) -> None:
    voice = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    own, others = (np.concatenate(parts * 2) for parts in ([voice, 0 * voice], [0 * voice, voice]))
    left, right = own + 0.1 * others, gain * (others + 0.1 * own)
    heard = without_the_other(left, right)
    inside = slice(4_000, 28_000)
    np.testing.assert_array_equal(heard[inside], left[inside])
    assert np.abs(heard[32_000:64_000][inside]).max() < 0.02 * np.abs(left[32_000:64_000]).max()
    both = own + others
    for one, other in ((both, gain * both), (both, gain * (both + 0.3 * own))):
        np.testing.assert_array_equal(without_the_other(one, other), one)  # one voice in both
