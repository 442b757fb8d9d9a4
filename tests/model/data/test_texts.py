"""What a run reads of a dataset's texts, and what it refuses."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document
from model.sequences.tasks import TEXT_TASKS, TextTask
from model.training.start import vocabulary
from stages.errors import UsageError
from tests.model.conftest import TOKENIZER, MemoryStore, make_config, make_store

TEXTS = ["Tschüß, й!", "한국", "Cafe\u0301  au\nlait"]


@dataclass
class Written(MemoryStore):
    written: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        return [self.written[row % len(self.written)] for row in range(len(self.frames))]


def written(*texts: str) -> Written:
    store = make_store()
    return Written(store.all_codes, store.all_phonemes, store.speakers, store.languages, written=texts)


def examples(store: MemoryStore, **data: Any) -> Examples:
    config = make_config(**{f"data__{key}": value for key, value in {"validation": 0.0, **data}.items()})
    return Examples(store, vocabulary(config, store), config.data, "train")


def draws(found: Examples, times: int = 40) -> list[Draw]:
    return [found.draw(row, np.random.default_rng((row, n))) for row in found.rows.tolist() for n in range(times)]


def test_characters_have_ids_of_their_own() -> None:
    store = written(*TEXTS)
    found = examples(store, text="characters", tasks={"tts": 1.0})
    encode, decode = found.tokenizer.encode, found.tokenizer.decode
    for row, text in ((0, "Tschüß, й!"), (1, "한국"), (2, "Café au lait")):
        assert found.texts.read(row) == text
        assert decode(encode(text)) == text
        assert len(encode(text)) == len(text)
    assert decode(TOKENIZER.encode("й한")) != "й한"
    plain = vocabulary(make_config(), store)
    assert plain.tokens == TOKENIZER.tokens, "a run on phonemes has the same vocabulary as ever"


@pytest.mark.parametrize("task", TEXT_TASKS)
@pytest.mark.parametrize("text", ["phonemes", "characters"])
def test_a_text_task_makes_one_writing_of_the_other(task: TextTask, text: str) -> None:
    store = written(*TEXTS)
    found = examples(store, text=text, tasks={task: 1.0})
    assert found.kinds == [(task, 0)], "there is no speech to validate"
    for draw in draws(found, times=1):
        document = read_document(found, draw)
        both = store.phonemes(draw.row), found.texts._characters(draw.row)
        given_, made = both[::-1] if task == "phn" else both
        assert (draw.task, draw.mode, draw.phonemes, draw.written) == (task, task, given_, made)
        assert len(document) == draw.length
        assert (document.codes_LK < 0).all()
        *ids, end = document.targets_M.tolist()
        assert (found.tokenizer.decode(ids), end) == (made, found.tokenizer.end)
        assert document.causal
        assert document.task == task


def test_text_tasks_are_drawn_as_weighted() -> None:
    found = examples(written(*TEXTS), tasks={"tts": 2.0, "phn": 1.0, "un-phn": 1.0}, modes={"ar": 1.0, "stt": 1.0})
    counts = Counter(draw.mode for draw in draws(found))
    total = sum(counts.values())
    shares = {"ar": 0.25, "stt": 0.25, "phn": 0.25, "un-phn": 0.25}
    assert {mode: count / total for mode, count in counts.items()} == pytest.approx(shares, abs=0.06)
    assert found.kinds == [("ar", 0), ("stt", 0), ("phn", 0), ("un-phn", 0)]
    for kind in found.kinds:
        assert {found.draw(row, np.random.default_rng(row), kind).mode for row in range(5)} == {kind[0]}


def test_other_runs_draw_what_they_drew() -> None:
    store = written(*TEXTS)
    speech = examples(store)
    with_text = examples(store, tasks={"tts": 1.0, "phn": 1.0})
    for row in range(5):
        kind = speech.draw(row, np.random.default_rng(row)).mode, 0
        one, other = (found.draw(row, np.random.default_rng(row), kind) for found in (speech, with_text))
        assert one == other


@pytest.mark.parametrize("data", [{"text": "characters"}, {"tasks": {"tts": 1.0, "un-phn": 0.1}}])
def test_a_dataset_without_its_texts_is_refused_in_one_line(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        examples(written("Yes.", " "), **data)
    message = str(refused.value)
    assert "\n" not in message
    assert "12 of 24" in message
    assert "`g/s1/1`" in message
    assert len(examples(written("Yes.", ""))) == 24, "phonemes alone need no text"


def test_speech_to_text_writes_what_is_read() -> None:
    found = examples(written(*TEXTS), text="characters", modes={"stt": 1.0})
    document = read_document(found, found.draw(1, np.random.default_rng(0)))
    assert found.tokenizer.decode(document.targets_M.tolist()) == "한국"
