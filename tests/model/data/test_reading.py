import numpy as np
import pytest

from model.data.examples import Examples
from model.data.reading import read_document
from tests.model.conftest import MemoryStore
from tests.model.data.test_examples import PLAIN, TOKENIZER, draws


def test_frames_are_masked_by_the_schedule(store: MemoryStore) -> None:
    fixed = PLAIN.model_copy(update={"modes": {"nar-len": 1.0}, "mask_schedule": "fixed", "mask_ratio": 0.5})
    for config, mean in ((fixed, 0.5), (fixed.model_copy(update={"mask_schedule": "cosine"}), 2 / np.pi)):
        examples = Examples(store, TOKENIZER, config, "train")
        found = draws(store, config, times=30)
        shares = [len(read_document(examples, draw).rows_M) / draw.frames for draw in found]
        assert np.mean(shares) == pytest.approx(mean, abs=0.04)


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
