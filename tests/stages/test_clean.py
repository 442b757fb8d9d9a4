"""Tests the stage `clean` on sound of every kind, with a cleaner that is easy to follow."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.artefacts.formats import write_lines
from stages.audio import files as audio
from stages.base import Context, Reject
from stages.clean import SUMMARY, Clean, CleanConfig
from stages.cleaning import table
from stages.cleaning.cleaned import Cleaned, CleanedRows, Scores, sound_of
from stages.cleaning.cleaner import CleanerRow
from stages.errors import AudioError
from stages.ids import Place
from stages.records import Recording, Wave

RATE = 16_000


class Times:
    """A cleaner that multiplies a wave."""

    sample_rate = None
    piece_s, context_s = 0.5, 0.1

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        return (wave * self.factor).astype(np.float32)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Clean]:
    """Builds the stage; recordings lie in `voices`."""
    for name, factor in (("half", 0.5), ("loud", 3.0)):
        row = CleanerRow(name, "", "", lambda _, factor=factor: Times(factor), lambda _, name=name: f"{name} 1")
        monkeypatch.setitem(table.CLEANERS, name, row)

    def made(cleaner: str = "half", **values: object) -> Clean:
        context = Context(tmp_path / "voices", tmp_path / "dataset")
        stage = Clean(CleanConfig.model_validate({"cleaner": cleaner, **values}), context)
        stage.setup()
        return stage

    return made


def record(folder: Path, name: str, sound: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Recording:
    path = folder / "voices" / "ann" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype)
    return Recording(f"ann/{name}", "", "ann", hashlib.sha256(path.read_bytes()).hexdigest())


def hiss(seconds: float = 1.2, seed: int = 0, level: float = 0.1) -> Wave:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


def only(stage: Clean, recording: Recording) -> Cleaned:
    [[found]] = stage.process([recording])
    assert isinstance(found, Cleaned)
    return found


def sound(found: Cleaned) -> np.ndarray:
    assert found.sound is not None
    return soundfile.read(io.BytesIO(found.sound.read_bytes()), dtype="float32", always_2d=True)[0]


def test_a_recording_keeps_its_length_its_rate_and_its_bytes(tmp_path: Path, make: Callable[..., Clean]) -> None:
    recording = record(tmp_path, "one.wav", hiss())
    before = (tmp_path / "voices" / recording.id).read_bytes()
    found = only(make(), recording)
    given, rate = audio.read(tmp_path / "voices" / recording.id)
    assert (found.samples, found.sample_rate, found.channels, found.gain_db) == (len(given), rate, 1, 0.0)
    assert np.allclose(sound(found)[:, 0], given / 2, atol=1e-6)
    assert (found.source, found.cleaner) == (recording.digest, "half 1")
    assert found.digest not in {recording.digest, only(make(strength=0.5), recording).digest}
    assert found.digest == only(make(), recording).digest
    assert (tmp_path / "voices" / recording.id).read_bytes() == before


def test_two_channels_are_cleaned_apart(tmp_path: Path, make: Callable[..., Clean]) -> None:
    both = np.stack([hiss(), hiss(seed=1)], axis=1)
    found = only(make(), record(tmp_path, "call.wav", both))
    assert found.channels == 2
    assert np.allclose(sound(found), both / 2, atol=2e-4)
    assert found.sound is not None
    left, _ = audio.read(Place(found.sound, "left"))
    assert np.allclose(left, both[:, 0] / 2, atol=2e-4)
    silent = both * np.float32([1, 0])
    assert not sound(only(make(), record(tmp_path, "one side.wav", silent)))[:, 1].any()


def test_nothing_is_clipped_that_was_not(tmp_path: Path, make: Callable[..., Clean]) -> None:
    recording = record(tmp_path, "loud.wav", np.clip(hiss(level=0.25), -0.95, 0.95))
    given, _ = audio.read(tmp_path / "voices" / recording.id)
    found = only(make("loud"), recording)
    wave = sound(found)[:, 0]
    peak = 3 * np.abs(given).max()
    assert peak > 1
    assert found.gain_db == pytest.approx(-20 * np.log10(peak), abs=1e-3)
    assert np.allclose(wave, 3 * given / peak, atol=1e-6)
    assert np.sum(np.abs(wave) > 0.9999) <= np.sum(np.abs(given) >= np.abs(given).max() * 0.9999)


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(RATE, np.float32), "Silent"),
        (np.where(np.arange(RATE) == 99, np.nan, 0.1).astype(np.float32), "NotFinite"),
        (np.zeros(0, np.float32), "NoAudio"),
    ],
)
def test_what_cant_be_read_rejects_itself(tmp_path: Path, make: Callable[..., Clean], wave: Wave, reason: str) -> None:
    bad, good = record(tmp_path, "bad.wav", wave, subtype="FLOAT"), record(tmp_path, "good.wav", hiss())
    [rejected], [found] = make().process([bad, good])
    assert isinstance(rejected, Reject)
    assert rejected.reason == reason
    assert isinstance(found, Cleaned)
    assert str(tmp_path) not in rejected.message


def test_a_cleaner_that_fails_on_one_rejects_that_one(tmp_path: Path, make: Callable[..., Clean]) -> None:
    stage = make()
    stage._cleaner = Times(np.nan)
    [[rejected]] = stage.process([record(tmp_path, "one.wav", hiss())])
    assert isinstance(rejected, Reject)
    assert rejected.reason == "NotCleaned"


def test_later_stages_see_the_recording_with_another_digest(tmp_path: Path, make: Callable[..., Clean]) -> None:
    recording = record(tmp_path, "one.wav", hiss())
    found = only(make(), recording)
    assert found.content() == Recording(recording.id, "", "ann", found.digest).content()
    assert Cleaned.from_json(found.to_json()) == found
    assert "sound" not in found.to_json()


def test_a_summary_counts_what_was_cleaned(tmp_path: Path, make: Callable[..., Clean], caplog) -> None:
    found = only(make(), record(tmp_path, "one.wav", hiss()))
    good, better = Scores(3.0, 2.0, 2.5), Scores(3.5, 4.0, 3.5)
    rows = [replace(found, before=good, after=better), replace(found, kept="worse", before=better, after=good)]
    write_lines(tmp_path / "00000-of-00001.rows.jsonl", [row.to_json() for row in rows])
    assert make().finish(tmp_path, ["00000-of-00001"]) == [SUMMARY]
    told = json.loads((tmp_path / SUMMARY).read_text())
    assert (told["cleaned"], told["kept"], told["cleaner"]) == (1, 1, "half 1")
    assert (told["sig"], told["bak"], told["ovrl"]) == ([3.0, 3.5], [2.0, 4.0], [2.5, 3.5])
    assert "cleaned 1 recordings, 1 stay as they are; sig 3.0 -> 3.5" in caplog.text


def test_the_tar_holds_the_sound_and_can_be_copied(tmp_path: Path, make: Callable[..., Clean]) -> None:
    recordings = [record(tmp_path, f"{number}.wav", hiss(seed=number)) for number in range(3)]
    cleaned = [only(make(), one) for one in recordings]
    kept = Cleaned(*(getattr(cleaned[2], name) for name in Recording.__match_args__), kept="worse", sample_rate=1)
    rows, waves = [*cleaned[:2], kept], [sound(one) for one in cleaned[:2]]
    written = {}
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        paths = {part: folder / part for part in CleanedRows.parts}
        CleanedRows().write(paths, rows)
        rows = CleanedRows().read(paths)
        written[name] = [path.read_bytes() for path in paths.values()]
        assert [one.id for one in rows] == [one.id for one in recordings]
        assert rows[2].sound is None
        for row, wave in zip(rows, waves, strict=False):
            assert row.sound is not None
            assert np.array_equal(audio.read(Place(row.sound))[0], wave[:, 0])
            assert audio.read(Place(row.sound), 100, 200)[0].tolist() == wave[100:200, 0].tolist()
    assert written["first"] == written["second"]


def test_a_sound_lies_where_the_dataset_says(tmp_path: Path, make: Callable[..., Clean]) -> None:
    voices, dataset = tmp_path / "voices", tmp_path / "dataset"
    recording = record(tmp_path, "one.wav", hiss())
    own = sound_of(voices, dataset, recording.id)
    assert own.path == voices / recording.id
    with pytest.raises(AudioError, match="valle-prep clean VOICES") as told:
        sound_of(voices, dataset, recording.id, is_cleaned=True)
    assert told.value.reason == "NotCleaned"
    found = only(make(), recording)
    shard = dataset / "clean" / "00000-of-00001"
    shard.with_name(f"{shard.name}.json").write_text("{}")
    paths = {part: shard.with_name(f"{shard.name}.{part}") for part in CleanedRows.parts}
    CleanedRows().write(paths, [found])
    for item_id, channel in ((recording.id, "mix"), (f"{recording.id}@left", "left")):
        place = sound_of(voices, dataset, item_id, is_cleaned=True)
        assert place.channel == channel
        assert place.path.parent == paths["audio.tar"]
    with pytest.raises(AudioError, match="ann/other"):
        sound_of(voices, dataset, "ann/other.wav", is_cleaned=True)


def test_the_configuration_names_what_it_needs() -> None:
    with pytest.raises(ValueError, match=r"deepfilternet.*but is soap"):
        CleanConfig(cleaner="soap")
    with pytest.raises(ValueError, match=r"clean\.dnsmos"):
        CleanConfig(cleaner="gate", min_gain=0.1)
    [problem] = Clean(CleanConfig(), Context(Path())).check([])
    assert "set `clean.cleaner` to" in problem
    [problem] = Clean(CleanConfig(cleaner="gate", weights="x"), Context(Path())).check([])
    assert "no weights" in problem or "needs the package" in problem
