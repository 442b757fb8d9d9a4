import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.examples import Examples
from model.data.reading import read_document, read_response
from model.sequences.documents import ABSENT
from model.sequences.heads import codebook_of_all, head_of_all
from tests.model.conftest import MemoryStore, make_store
from tests.model.data.test_examples import PLAIN, TOKENIZER, draws


def test_frames_are_masked_by_the_schedule(store: MemoryStore) -> None:
    fixed = PLAIN.model_copy(update={"modes": {"nar-len": 1.0}, "mask_schedule": "fixed", "mask_ratio": 0.5})
    for config, mean in ((fixed, 0.5), (fixed.model_copy(update={"mask_schedule": "cosine"}), 2 / np.pi)):
        examples = Examples(store, TOKENIZER, config, "train")
        found = draws(store, config, times=30)
        shares = [len(read_document(examples, draw).rows_M) / draw.frames for draw in found]
        assert np.mean(shares) == pytest.approx(mean, abs=0.04)


@given(st.integers(0, 7), st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None)
def test_masks_of_all_codebooks_leave_the_first_ones_known(level: int, seed: int, fixed: bool) -> None:
    """Below the drawn codebook all is known, above it nothing; what is masked there is asked for, the rest in part."""
    store = make_store(rows=8)
    masks = {"mask_schedule": "fixed", "mask_ratio": 0.25} if fixed else {}
    examples = Examples(store, TOKENIZER, PLAIN.model_copy(update={"modes": {"all": 1.0}, **masks}), "train")
    draw = examples.draw(seed % 8, np.random.default_rng(seed), ("all", level))
    item, own = read_document(examples, draw), read_response(examples, draw)
    shown_KT = item.codes_LK[-draw.frames :, :8].T
    masked_KT = shown_KT == ABSENT
    assert not masked_KT[:level].any()
    assert masked_KT[level + 1 :].all()
    np.testing.assert_array_equal(shown_KT[~masked_KT], own[~masked_KT])
    first = len(item) - draw.frames
    np.testing.assert_array_equal(item.rows_M - first, np.flatnonzero(masked_KT[level]))
    assert item.head == head_of_all(8, level, level)
    assert len(item.rows_M) in ({round(0.25 * draw.frames), draw.frames} if fixed else range(1, draw.frames + 1))
    for head, rows_M, targets_M in [(item.head, item.rows_M, item.targets_M), *item.more]:
        codebook = codebook_of_all(8, head)
        assert codebook is not None
        assert codebook >= level
        np.testing.assert_array_equal(targets_M, own[codebook, rows_M - first])
    again = read_document(examples, draw)
    assert (again.codes_LK == item.codes_LK).all()
    assert [(head, rows_M.tolist()) for head, rows_M, _ in again.more] == [
        (head, rows_M.tolist()) for head, rows_M, _ in item.more
    ]


def test_masks_of_all_codebooks_are_as_often_as_told(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": {"all": 1.0}})
    examples = Examples(store, TOKENIZER, config, "train")
    found = draws(store, config, times=60)
    counts = np.bincount([draw.level for draw in found], minlength=8) / len(found)
    np.testing.assert_allclose(counts, [0.5, *(np.arange(7, 0, -1) / 56)], atol=0.03)
    shares: dict[bool, list[float]] = {False: [], True: []}
    above = asked = 0
    for draw in found:
        item = read_document(examples, draw)
        shares[draw.level > 0].append(len(item.rows_M) / draw.frames)
        above += (7 - draw.level) * draw.frames
        asked += sum(len(rows_M) for _, rows_M, _ in item.more)
    assert np.mean(shares[False]) == pytest.approx(2 / np.pi, abs=0.04)
    assert np.mean(shares[True]) == pytest.approx((1 + 2 / np.pi) / 2, abs=0.04), "half of them whole"
    assert asked / above == pytest.approx(1 / 8, abs=0.005)


def test_codes_below_the_drawn_codebook_are_corrupted(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": {"all": 1.0}, "corrupt": 0.5})
    examples = Examples(store, TOKENIZER, config, "train")
    draw = examples.draw(0, np.random.default_rng(0), ("all", 5))
    item, own = read_document(examples, draw), read_response(examples, draw)
    first = len(item) - draw.frames
    shown_KT = item.codes_LK[first:, :8].T
    assert (shown_KT[:5] != own[:5]).mean() == pytest.approx(0.5 * 63 / 64, abs=0.1)
    known_T = shown_KT[5] != ABSENT
    np.testing.assert_array_equal(shown_KT[5, known_T], own[5, known_T])
    np.testing.assert_array_equal(item.targets_M, own[5, item.rows_M - first])


def test_corrupted_codes_are_shown_and_never_asked_for(store: MemoryStore) -> None:
    config = PLAIN.model_copy(update={"modes": {"nar": 1.0}, "corrupt": 0.5})
    plain = config.model_copy(update={"corrupt": 0.0})
    examples, clean = (Examples(store, TOKENIZER, each, "train") for each in (config, plain))
    changed = total = 0
    for draw in draws(store, config, times=5):
        one, two = read_document(examples, draw), read_document(clean, draw)
        assert (one.targets_M == two.targets_M).all()
        response = slice(len(one) - draw.frames, None)
        assert (one.codes_LK[: -draw.frames] == two.codes_LK[: -draw.frames]).all()
        changed += (one.codes_LK[response, : draw.level] != two.codes_LK[response, : draw.level]).sum()
        total += draw.level * draw.frames
    assert changed / total == pytest.approx(0.5 * 63 / 64, abs=0.03)
    validation, read = (Examples(store, TOKENIZER, each, "validation") for each in (config, plain))
    for draw in draws(store, config, times=1):
        assert (read_document(validation, draw).codes_LK == read_document(read, draw).codes_LK).all(), "scored as it is"
