"""The lists of the published protocols, read from files as their authors write them."""

from pathlib import Path

import numpy as np
import pytest

from model.evaluation.protocols import PROTOCOLS, Clip, Trial, read_trials
from stages.audio.files import write_wav
from stages.errors import MissingInputError, TextError, UsageError

SECONDS = {"12-3-0000": 5.0, "12-3-0001": 2.5, "12-4-0002": 9.0, "12-4-0003": 14.0, "7-1-0000": 6.0, "7-1-0001": 4.0}


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    root = tmp_path / "test-clean"
    for name, length in SECONDS.items():
        speaker, chapter, _ = name.split("-")
        write_wav(root / speaker / chapter / f"{name}.wav", np.zeros(int(8000 * length), np.float32), 8000)
    return root


def listed(folder: Path, *lines: str) -> Path:
    path = folder / "list.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_ls_valle_takes_4_to_10_s_and_cuts_3_s_from_another_utterance(librispeech: Path) -> None:
    path = listed(librispeech, *(f"{name} IT WAS {name[-1]} O'CLOCK" for name in SECONDS))
    trials = read_trials("ls-valle", path, seed=1)
    assert [trial.id for trial in trials] == ["12-3-0000", "12-4-0002", "7-1-0000", "7-1-0001"]
    for trial in trials:
        prompt = trial.prompt
        assert trial.text == f"It was {trial.id[-1]} o'clock."
        assert (trial.prompt_text, trial.continues, trial.language) == (None, False, "en")
        assert trial.truth == librispeech / Path(*trial.id.split("-")[:2]) / f"{trial.id}.wav"
        assert prompt.path.stem != trial.id
        assert prompt.path.stem.split("-")[0] == trial.id.split("-")[0]
        assert prompt.path.stem != "12-3-0001", "too short for a prompt"
        assert prompt.length_s == 3
        assert 0 <= prompt.start_s <= SECONDS[prompt.path.stem] - 3
    assert trials == read_trials("ls-valle", path, seed=1)
    assert trials != read_trials("ls-valle", path, seed=2)
    some = read_trials("ls-valle", path, seed=1, limit=2)
    assert some == [trials[0], trials[2]], "spread over the list, with the same prompts"


def test_ls_valle_continual_begins_with_the_utterance_itself(librispeech: Path) -> None:
    path = listed(librispeech, "7-1-0000 SIX SECONDS")
    (trial,) = read_trials("ls-valle-continual", path)
    truth = librispeech / "7/1/7-1-0000.wav"
    assert trial == Trial("7-1-0000", "Six seconds.", "en", Clip(truth, 0, 3.0), "", truth, continues=True)
    with pytest.raises(UsageError, match="needs another utterance of its speaker"):
        read_trials("ls-valle", path)


def test_ls_pc_reads_f5s_six_columns(librispeech: Path, tmp_path: Path) -> None:
    path = listed(tmp_path, "7-1-0001\t4.0\tFour, you see.\t7-1-0000\t6.0\tSix!", "")
    (trial,) = read_trials("ls-pc", path, root=librispeech)
    folder = librispeech / "7/1"
    assert trial == Trial(
        "7-1-0000", "Six!", "en", Clip(folder / "7-1-0001.wav"), "Four, you see.", folder / "7-1-0000.wav"
    )


def test_seed_tts_reads_both_forms_in_both_languages(tmp_path: Path) -> None:
    for name in ("prompt-wavs/a.wav", "wavs/one.wav", "truth/two.wav"):
        write_wav(tmp_path / name, np.zeros(800, np.float32), 8000)
    path = listed(
        tmp_path,
        "one|What he said.|prompt-wavs/a.wav|Say this.",
        "two.wav|你说什么|prompt-wavs/a.wav|今天天气很好。|truth/two.wav",
        "three|What he said.|prompt-wavs/a.wav|And no truth.|truth/three.wav",
    )
    one, two, three = read_trials("seed-tts", path)
    prompt = Clip(tmp_path / "prompt-wavs/a.wav")
    assert one == Trial("one", "Say this.", "en", prompt, "What he said.", tmp_path / "wavs/one.wav")
    assert two == Trial("two", "今天天气很好。", "zh", prompt, "你说什么", tmp_path / "truth/two.wav")
    assert three.truth is None


def test_a_list_of_one_s_own(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, np.zeros(8000, np.float32), 8000)
    one, two = read_trials("own", listed(tmp_path, "x/1\tEnglish\ta.wav\tSay this.\tb.wav", "x/2\tde\tb.wav\tSag das."))
    assert one == Trial("x/1", "Say this.", "en", Clip(tmp_path / "a.wav", 0.0, 3.0), None, tmp_path / "b.wav")
    assert two == Trial("x/2", "Sag das.", "de", Clip(tmp_path / "b.wav", 0.0, 3.0), None, None)
    with pytest.raises(MissingInputError, match=r"`.*none[.]wav` \(line 1"):
        read_trials("own", listed(tmp_path, "x\ten\ta.wav\tText.\tnone.wav"))
    with pytest.raises(TextError, match="xx"):
        read_trials("own", listed(tmp_path, "x\txx\ta.wav\tText."))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_mistakes_name_the_line_and_the_rule(protocol: str, librispeech: Path) -> None:
    with pytest.raises(UsageError, match=r"line 2 of `.*list.txt` must have .* fields"):
        read_trials(protocol, listed(librispeech, "", "nothing"))
    with pytest.raises(UsageError, match="must have an utterance that"):
        read_trials(protocol, listed(librispeech, "", ""))
    with pytest.raises(MissingInputError, match="can't be read from `nowhere`"):
        read_trials(protocol, Path("nowhere"))
    with pytest.raises(UsageError, match="`--limit` must be 1 or more, but is 0"):
        read_trials(protocol, Path("nowhere"), limit=0)


def test_mistakes_in_what_is_named(librispeech: Path) -> None:
    with pytest.raises(UsageError, match="must be one of ls-valle, ls-valle-continual, ls-pc, seed-tts"):
        read_trials("libri", Path("nowhere"))
    with pytest.raises(MissingInputError, match=r"9-9-0000.flac` \(line 1 of .*isn't there.*--root FOLDER"):
        read_trials("ls-valle", listed(librispeech, "9-9-0000 TEXT"))
    with pytest.raises(UsageError, match=r"as LibriSpeech does \(`1089-134686-0000`\), but has `anna`"):
        read_trials("ls-valle", listed(librispeech, "anna TEXT"))
    with pytest.raises(MissingInputError, match=r"`.*none[.]wav` \(line"):
        read_trials("seed-tts", listed(librispeech, "one|text|none.wav|text"))
    line = "7-1-0001\t4.0\tFour.\t7-1-0000\t6.0\tSix."
    with pytest.raises(UsageError, match="lists `7-1-0000` 2 times"):
        read_trials("ls-pc", listed(librispeech, line, line))
