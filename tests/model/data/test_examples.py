from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from model.config import DataConfig
from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document
from model.data.source import tones_of
from model.sequences.documents import MODES
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError
from tests.model.conftest import MemoryStore

TOKENIZER = Tokenizer.default(8)


def draws(store: MemoryStore, config: DataConfig, times: int = 40) -> list[Draw]:
    examples = Examples(store, TOKENIZER, config, "train")
    rng = np.random.default_rng(0)
    return [examples.draw(int(row), rng) for row in examples.rows for _ in range(times)]


PLAIN = DataConfig(min_s=0.2, validation=0.0, prompt_s=0.5, continuation_probability=0.0)


def test_prompts_are_other_utterances_of_the_speaker(store: MemoryStore) -> None:
    found = draws(store, PLAIN)
    single = len(store.frames) - 1
    for draw in found:
        (prompt,) = draw.prompt
        assert store.speakers[prompt.row] == store.speakers[draw.row]
        assert 0 < len(prompt) <= round(0.5 * 75)
        assert prompt.stop <= store.frames[prompt.row]
        assert (prompt.row == draw.row) == (draw.task == "tts-c") == (draw.row == single)
    others = {draw.prompt[0].row for draw in found if draw.row == 0}
    assert others == {row for row in range(len(store.frames)) if store.speakers[row] == store.speakers[0]} - {0}


def test_continuations_cover_the_utterance_once(store: MemoryStore) -> None:
    for draw in draws(store, PLAIN.model_copy(update={"continuation_probability": 1.0}), times=2):
        assert draw.task == "tts-c"
        (prompt,), (response,) = draw.prompt, draw.response
        assert prompt.row == response.row == draw.row
        assert (prompt.start, prompt.stop, response.stop) == (0, response.start, store.frames[draw.row])


def test_neighbours_are_preferred_as_often_as_asked(store: MemoryStore) -> None:
    store.neighbours = {0: (1, 3, 6)}  # row 1 is another speaker's
    config = PLAIN.model_copy(update={"similar_probability": 0.8})
    counts = Counter(draw.prompt[0].row for draw in draws(store, config, times=1000) if draw.row == 0)
    assert 1 not in counts
    assert (counts[3] + counts[6]) / 1000 == pytest.approx(0.8 + 0.2 * 2 / 7, abs=0.04)


def test_levels_are_drawn_as_weighted(store: MemoryStore) -> None:
    counts = Counter(draw.level for draw in draws(store, PLAIN, times=400))
    total = counts.total()
    assert counts[0] / total == pytest.approx(0.5, abs=0.02)
    for level in range(1, 8):
        assert counts[level] / total == pytest.approx(0.5 * (8 - level) / 28, abs=0.01)


def test_splits_share_nothing_and_training_prompts_stay_in_training(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"validation": 0.3})
    train, validation = (Examples(store, TOKENIZER, config, split) for split in ("train", "validation"))
    assert sorted([*train.rows, *validation.rows]) == list(range(len(store.frames)))
    assert len(validation)
    assert {draw.prompt[0].row for draw in draws(store, config)} <= set(train.rows)


def test_whole_speakers_can_be_kept_for_validation(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"validation": 0.5, "split_by": "speaker"})
    train, validation = (Examples(store, TOKENIZER, config, split) for split in ("train", "validation"))
    assert {store.speakers[row] for row in train.rows}.isdisjoint({store.speakers[row] for row in validation.rows})


def test_the_range_of_durations_holds(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"min_s": 0.8, "max_s": 1.2})
    for draw in draws(store, config):
        assert 60 <= store.frames[draw.row] <= 90
        assert 60 <= store.frames[draw.prompt[0].row] <= 90


def test_only_the_languages_asked_for(store: MemoryStore) -> None:
    store.languages = ["de" if row % 2 else "en" for row in range(len(store.frames))]
    found = draws(store, PLAIN.model_copy(update={"languages": ["de"]}), times=3)
    assert {store.languages[row] for draw in found for row in (draw.row, draw.prompt[0].row)} == {"de"}


def test_an_empty_selection_is_an_error(store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="must leave utterances to train on"):
        Examples(store, TOKENIZER, PLAIN.model_copy(update={"min_s": 30.0, "max_s": 40.0}), "train")


def test_a_document_is_as_long_as_its_draw_says(store: MemoryStore) -> None:
    examples = Examples(store, TOKENIZER, PLAIN, "train")
    for draw in draws(store, PLAIN, times=2):
        assert len(read_document(examples, draw)) == draw.length


def test_in_the_delay_pattern_it_is_longer_by_the_last_codebooks(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": {"ar": 1.0, "all": 1.0}, "levels": "delay"})
    examples = Examples(store, TOKENIZER, config, "train")
    for draw in draws(store, config, times=2):
        assert len(read_document(examples, draw)) == draw.length


ALL = dict.fromkeys(MODES, 1.0)


def test_every_mode_is_drawn_as_weighted_and_makes_a_document(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": {**ALL, "stt": 3.0}, "continuation_probability": 0.3, "corrupt": 0.5})
    examples = Examples(store, TOKENIZER, config, "train")
    found = draws(store, config, times=60)
    counts = Counter(draw.mode for draw in found)
    for mode in ALL:
        assert counts[mode] / counts.total() == pytest.approx((3 if mode == "stt" else 1) / 8, abs=0.03)
    for draw in found[:200]:
        item = read_document(examples, draw)
        assert len(item) == draw.length
        heads = {"ar": 0, "nar": draw.level, "nar-len": 9, "all": 10 + draw.level, "len": 8, "stt": 8}
        assert item.head == heads[draw.mode]
        assert len(item.rows_M) == len(item.targets_M) > 0
        if draw.mode == "len":
            assert item.targets_M.tolist() == [*TOKENIZER.encode(str(draw.frames)), TOKENIZER.end]


def test_groups_shorten_what_is_read_frame_by_frame_and_nothing_else(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": ALL, "continuation_probability": 0.3})
    single, grouped = (Examples(store, TOKENIZER, config, "train", group=group) for group in (1, 4))
    for row in single.rows.tolist() * 4:
        one, other = (examples.draw(row, np.random.default_rng(row)) for examples in (single, grouped))
        assert replace(other, group=1) == one
        assert len(read_document(grouped, other)) == other.length
        assert one.length - other.length == (one.frames - one.frames // 4 if one.mode == "ar" else 0)


def test_the_tone_of_a_group_is_told_but_for_some(store: MemoryStore) -> None:
    store.speakers = [f"{'calm' if row < 12 else 'loud'}/{row % 3}" for row in range(23)] + ["nobody"]
    told = {"modes": ALL, "tones": True, "tone_dropout": 0.3, "unconditional_probability": 0.4}
    tokenizer = TOKENIZER.with_tones(tones_of(store))
    plain = Examples(store, TOKENIZER, PLAIN.model_copy(update={**told, "tones": False}), "train")
    examples = Examples(store, tokenizer, PLAIN.model_copy(update=told), "train")
    shares: dict[str, list[bool]] = {}
    for row in examples.rows.tolist():
        for n in range(60):
            one, other = (each.draw(row, np.random.default_rng((row, n))) for each in (plain, examples))
            assert replace(other, tone="") == one, "nothing else is drawn otherwise"
            item = read_document(examples, other)
            names = [tokenizer.tokens[number] for number in item.tokens_L]
            assert len(item) == other.length
            assert [name for name in names if "tone" in name] == ([f"<tone {other.tone}>"] if other.tone else [])
            if other.tone:
                assert names.index(f"<tone {other.tone}>") == 2
                assert store.speakers[row].startswith(other.tone)
            dropped = other.mode in {"ar", "nar-len", "all"} and not other.phonemes
            if dropped or other.mode == "stt" or store.speakers[row] == "nobody":
                assert not other.tone
            else:
                shares.setdefault(other.mode, []).append(bool(other.tone))
    assert shares.keys() == ALL.keys() - {"stt"}
    for found in shares.values():
        assert np.mean(found) == pytest.approx(0.7, abs=0.07)


def test_tones_need_groups_that_the_vocabulary_holds(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"tones": True})
    with pytest.raises(UsageError, match=r"but `g` isn't in it\. Start a new run with the model as"):
        Examples(store, TOKENIZER, config, "train")
    store.speakers = [name.removeprefix("g/") for name in store.speakers]
    with pytest.raises(UsageError, match=r"`data.tones` needs groups, .* but the dataset has none"):
        Examples(store, TOKENIZER, config, "train")


def test_text_and_prompt_are_dropped_as_often_as_asked_but_never_in_validation(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": ALL, "unconditional_probability": 0.4, "validation": 0.3})
    for split, share in (("train", 0.4), ("validation", 0.0)):
        examples = Examples(store, TOKENIZER, config, split)
        found = [examples.draw(int(row), np.random.default_rng((row, n))) for row in examples.rows for n in range(100)]
        for mode in ALL:
            dropped = [not draw.phonemes and not draw.prompt for draw in found if draw.mode == mode]
            expected = share if mode in {"ar", "nar-len", "all"} else 0.0
            assert sum(dropped) / len(dropped) == pytest.approx(expected, abs=0.08)


def test_a_prompt_is_joined_of_several_utterances_where_one_is_too_short(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"prompt_s": 3.0, "prompt_utterances": 3})
    examples = Examples(store, TOKENIZER, config, "train")
    counts = Counter[int]()
    for draw in draws(store, config, times=10):
        rows = [span.row for span in draw.prompt]
        counts[len(rows)] += 1
        assert len(set(rows)) == len(rows)
        assert {store.speakers[row] for row in rows} == {store.speakers[draw.row]}
        if draw.task == "tts":
            assert draw.row not in rows
            assert sum(map(len, draw.prompt)) <= 225
            assert all(len(span) == store.frames[span.row] for span in draw.prompt[:-1])
            shown = read_document(examples, replace(draw, mode="ar", level=0)).codes_LK
            joined_PK = np.concatenate([store.codes(span.row)[:, span.start : span.stop].T for span in draw.prompt])
            start = 3 + len(TOKENIZER.encode(draw.phonemes)) + 1
            assert (shown[start : start + len(joined_PK)] == joined_PK).all()
    assert counts[3] > counts[2] > 0


def test_utterances_are_joined_to_long_ones(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"join_probability": 0.7, "max_s": 4.0, "modes": ALL})
    examples = Examples(store, TOKENIZER, config, "train")
    found = draws(store, config, times=20)
    joined = [draw for draw in found if len(draw.response) > 1]
    assert len(joined) > len(found) / 4
    for draw in joined:
        rows = [span.row for span in draw.response]
        assert len({*rows, *(span.row for span in draw.prompt)}) == len(rows) + len(draw.prompt)
        assert draw.phonemes == " ".join(map(store.phonemes, rows))
        assert draw.frames == sum(store.frames[row] for row in rows) <= 4.0 * 75
        assert len(read_document(examples, draw)) == draw.length
    validation = Examples(store, TOKENIZER, config.model_copy(update={"validation": 0.3}), "validation")
    assert all(len(validation.draw(int(row), np.random.default_rng(row)).response) == 1 for row in validation.rows)


def test_an_epoch_can_even_out_speakers_or_groups(store: MemoryStore) -> None:
    store.speakers = [f"{'a' if row < 18 else 'b'}/{row % 3}" for row in range(24)]
    for by, expected in (("speaker", [4] * 6), ("group", [12, 12])):
        config = PLAIN.model_copy(update={"sample_by": by, "temperature": 1e9})
        rows = Examples(store, TOKENIZER, config, "train").epoch(0, 0)
        names = [store.speakers[row] if by == "speaker" else store.speakers[row][0] for row in rows]
        assert sorted(Counter(names).values()) == expected


def test_temperature_needs_classes() -> None:
    with pytest.raises(ValueError, match="set `sample_by` to speaker or group"):
        DataConfig(temperature=2.0)
