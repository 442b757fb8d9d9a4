import json
from pathlib import Path

import pytest

from stages.audio.files import probe
from stages.corpora import speaking
from stages.corpora.piper import SPEAKERS
from stages.corpora.sentences import Sentence
from stages.corpora.speaking import IDENTITY, speaker_of, write_spoken
from stages.errors import ArtefactError, MachineError, TextError, UsageError

from .stand_in_voice import write_voice

TEXTS = [
    Sentence(f"t-{number}", f"The dog saw {word}.")
    for number, word in enumerate(["a", "an", "it", "him", "them", "two"])
]
MANY = [Sentence(f"s-{number}", "Go home.") for number in range(40)]


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return write_voice(tmp_path_factory.mktemp("voice"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_bytes_dont_depend_on_processes_or_other_texts(tmp_path, voice):
    shown = []
    assert write_spoken(tmp_path / "a", TEXTS, weights=voice, show=lambda *told: shown.append(told)) == len(TEXTS)
    assert (shown[0], shown[-1]) == ((0, 6), (6, 6))
    assert write_spoken(tmp_path / "b", [*MANY, *TEXTS], weights=voice, jobs=2) == len(MANY) + len(TEXTS)
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first.items() <= second.items()
    for one in TEXTS:
        path = tmp_path / "a" / speaker_of(one.name).name / f"{one.name}.wav"
        assert path.with_suffix(".txt").read_text() == f"{one.text}\n"
        assert probe(path).sample_rate == 16_000


def test_what_is_there_is_kept_and_what_is_missing_made(tmp_path, voice, monkeypatch):
    write_spoken(tmp_path, TEXTS, weights=voice)
    whole = contents(tmp_path)
    gone, changed = (tmp_path / speaker_of(one.name).name / f"{one.name}.wav" for one in TEXTS[:2])
    gone.unlink()
    changed.with_suffix(".txt").write_text("Another text.\n")
    (gone.parent / ".0123.tmp").write_bytes(b"from a kill")
    assert write_spoken(tmp_path, TEXTS, weights=voice) == 2
    (gone.parent / ".0123.tmp").unlink()
    assert contents(tmp_path) == whole
    assert write_spoken(tmp_path, TEXTS, weights=voice) == 0


def test_folders_of_others_and_other_voices_are_left_alone(tmp_path, voice):
    write_spoken(tmp_path / "a", TEXTS, weights=voice)
    with pytest.raises(UsageError, match=r"made otherwise .*seed: 0 -> 1"):
        write_spoken(tmp_path / "a", TEXTS, weights=voice, seed=1)
    with pytest.raises(UsageError, match=r"only recordings of these texts, but holds .*t-"):
        write_spoken(tmp_path / "a", TEXTS[1:], weights=voice)
    (tmp_path / "a" / IDENTITY).write_text("[")
    with pytest.raises(ArtefactError, match="can't be read"):
        write_spoken(tmp_path / "a", TEXTS, weights=voice)
    (tmp_path / "a" / IDENTITY).unlink()
    with pytest.raises(UsageError, match=r"no `\.voice\.json`"):
        write_spoken(tmp_path / "a", TEXTS, weights=voice)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.wav").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"mine\.wav"):
        write_spoken(tmp_path / "b", TEXTS, weights=voice)
    with pytest.raises(UsageError, match="can't be created"):
        write_spoken(tmp_path / "b" / "mine.wav" / "below", TEXTS, weights=voice)


def test_a_text_that_cant_be_said_stops_before_anything_is_written(tmp_path, voice):
    with pytest.raises(TextError, match="`odd`"):
        write_spoken(tmp_path / "a", [*TEXTS, Sentence("odd", "?!")], weights=voice)
    assert not (tmp_path / "a").exists()


def test_a_killed_process_and_a_full_disk_are_told(tmp_path, voice, monkeypatch):
    def killed(*_):
        raise speaking.BrokenProcessPool

    monkeypatch.setattr(speaking, "_spoken", killed)
    with pytest.raises(MachineError, match="0 of 6 recordings"):
        write_spoken(tmp_path / "a", TEXTS, weights=voice)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(speaking, "_spoken", full)
    with pytest.raises(MachineError, match="No space left"):
        write_spoken(tmp_path / "b", TEXTS, weights=voice)


def test_all_speakers_get_texts(voice, tmp_path):
    assert {speaker_of(f"name-{number}") for number in range(100)} == set(SPEAKERS)
    write_spoken(tmp_path, TEXTS[:1], weights=voice)
    assert json.loads((tmp_path / IDENTITY).read_text())["seed"] == "0"
