"""When each symbol of a text is said, found from codes and texts alone."""

import numpy as np
import pytest

from model.data.alignment import Aligner, Alignments, Spoken, paces_by_neighbours
from model.data.examples import Examples
from model.sequences.aligned import Times
from model.sequences.documents import Int64s
from model.sequences.tokenizer import EDGE, LEAD, TAIL
from stages.records import Codes
from tests.model.conftest import TOKENIZER, MemoryStore, make_config

SIZE = 64
SYMBOLS = "atseiomn"
MEAN = {symbol: 3.0 + number for number, symbol in enumerate(SYMBOLS)}


def said(rng: np.random.Generator, symbols: int) -> tuple[str, Codes, Int64s]:
    """Draws a text, its codes `[2, T]` and the frames of silence, symbols and silence. A space takes no time."""
    text = "".join(rng.choice([*SYMBOLS, " "], symbols))
    frames = [5, *(0 if symbol == " " else 1 + rng.poisson(MEAN[symbol] - 1) for symbol in text), 7]
    kinds = np.repeat([len(SYMBOLS), *(SYMBOLS.find(symbol) for symbol in text), len(SYMBOLS)], frames)
    # Seven codes are usual in each symbol; a fifth of all codes are any.
    codes_JT = kinds * 7 + rng.integers(0, 7, (2, len(kinds)))
    anything = rng.random(codes_JT.shape) < 0.2
    codes_JT[anything] = rng.integers(0, SIZE, int(anything.sum()))
    return text, np.minimum(codes_JT, SIZE - 1).astype(np.uint16), np.array(frames)


@pytest.fixture(scope="module")
def utterances() -> list[tuple[str, Codes, Int64s]]:
    rng = np.random.default_rng(0)
    return [said(rng, int(rng.integers(8, 40))) for _ in range(200)]


@pytest.fixture(scope="module")
def spoken(utterances: list[tuple[str, Codes, Int64s]]) -> list[Spoken]:
    return [Spoken(TOKENIZER.encode(text), codes_KT) for text, codes_KT, _ in utterances]


@pytest.fixture(scope="module")
def aligner(spoken: list[Spoken]) -> Aligner:
    paced = TOKENIZER.paced({**dict.fromkeys([*SYMBOLS, " "], 5.0), "": 10.0})
    return Aligner.fit(spoken[:150], paced, SIZE)


def test_the_borders_of_symbols_are_found(
    aligner: Aligner, spoken: list[Spoken], utterances: list[tuple[str, Codes, Int64s]]
) -> None:
    """Also in utterances that weren't learnt from; it began with equal frames for all symbols."""
    for part in (slice(150), slice(150, None)):
        off = [
            np.abs(times.ends() - np.cumsum(frames))
            for times, (_, _, frames) in zip(aligner.times(spoken[part]), utterances[part], strict=True)
        ]
        assert np.mean(np.concatenate(off) <= 1) > 0.85  # between two equal symbols there is no border to see
    evenly = TOKENIZER.paced({**dict.fromkeys([*SYMBOLS, " "], 5.0), "": 10.0})
    guessed = [
        evenly.frames_of(one.ids).ends() - np.cumsum(true) for one, (*_, true) in zip(spoken, utterances, strict=True)
    ]
    assert np.mean(np.abs(np.concatenate(guessed)) <= 1) < 0.3


def test_every_frame_is_counted_once(aligner: Aligner, spoken: list[Spoken]) -> None:
    for times, one in zip(aligner.times(spoken), spoken, strict=True):
        assert times.total == one.codes_KT.shape[1]
        assert len(times.each) == len(one.ids)


def test_batches_find_what_singles_find(aligner: Aligner, spoken: list[Spoken]) -> None:
    assert aligner.times(spoken[:70]) == [aligner.times([one])[0] for one in spoken[:70]]


@pytest.mark.parametrize("frames", [1, 2, 3, 9])
@pytest.mark.parametrize("text", ["", "a", " ", "?", "atseiomn" * 6])
def test_any_text_and_any_length_have_times(aligner: Aligner, text: str, frames: int) -> None:
    """Also symbols that were never seen, and more of them than frames."""
    codes_KT = np.zeros((2, frames), np.uint16)
    (times,) = aligner.times([Spoken(TOKENIZER.encode(text), codes_KT)])
    assert times.total == frames
    assert len(times.each) == len(text)


def test_a_symbol_between_two_others_has_its_own_pace() -> None:
    ids = [TOKENIZER.encode("at"), TOKENIZER.encode("as")]
    times = [Times(2, (4, 6), 1), Times(4, (8, 2), 3)]
    paces = paces_by_neighbours(TOKENIZER, ids * 3, times * 3)
    assert paces == {
        "a": 6.0,
        "t": 6.0,
        "s": 2.0,
        LEAD: 3.0,
        TAIL: 2.0,
        f"{EDGE}at": 5.0,  # as if it were seen thrice more with the mean of all a
        f"at{EDGE}": 6.0,
        f"{EDGE}as": 7.0,
        f"as{EDGE}": 2.0,
    }
    usual = TOKENIZER.paced(paces).frames_of(TOKENIZER.encode("ast"))
    assert usual == Times(3.0, [7.0, 2.0, 6.0], 2.0)


def test_joined_texts_keep_their_times(store: MemoryStore) -> None:
    examples = Examples(store, TOKENIZER.spaced(0.0, names_said=True), make_config().data, "train")
    found = examples.alignments
    assert isinstance(found, Alignments)
    rows = examples.rows[:3].tolist()
    joined, alone = found.of(rows), [found.of([row]) for row in rows]
    assert joined.total == sum(each.total for each in alone) == sum(store.frames[row] for row in rows)
    phonemes = " ".join(map(store.phonemes, rows))
    assert len(joined.each) == len(TOKENIZER.encode(phonemes))


def test_both_splits_share_what_was_learnt(store: MemoryStore) -> None:
    config = make_config(data__validation=0.3).data
    tokenizer = TOKENIZER.spaced(0.0, names_said=True)
    train, validation = (Examples(store, tokenizer, config, split) for split in ("train", "validation"))
    assert train.alignments and validation.alignments
    row = int(validation.rows[0])
    assert train.alignments.of([row]) == validation.alignments.of([row])
