"""A model whose codebooks are masked sequences of their own, from its configuration to what it says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from model.checkpoints import checkpoint
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import Sampling
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.training.trainer import Trainer, train
from stages.codecs.table import codec_identity
from stages.errors import UsageError
from tests.model.conftest import Configure, MemoryStore, make_config, make_store
from tests.model.inference.conftest import talk

MASKS: dict[str, Any] = {"data__levels": "masks"}
QUICK = Unmasking(3)


def test_each_codebook_is_learnt_from_its_own_codes_and_logged(store: MemoryStore, configure: Configure) -> None:
    trainer = Trainer(configure(**MASKS, data__modes={"nar": 1.0}), store, quiet=True)
    batch = next(trainer.stream.batches())
    canvas, predicted = trainer.tokenizer.canvas, [head for head, rows_M in enumerate(batch.rows) if len(rows_M)]
    assert set(predicted) <= {*range(1, 8)}
    for head in predicted:
        assert (batch.codes_LK[batch.rows[head]] < 0).all(), "no codebook below is shown"
        assert (batch.tokens_L[batch.rows[head]] == trainer.tokenizer.level(head)).all()
    shown_LK = batch.codes_LK[batch.tokens_L == canvas]
    assert ((shown_LK >= 0).sum(1) == 1).all(), "what isn't masked shows one codebook"
    before = trainer.score(batch, alone=True).report("x")
    for _ in range(30):
        trainer.train_step([batch])
    after = trainer.score(batch, alone=True).report("x")
    assert after["x/loss_nar"] < 0.95 * before["x/loss_nar"]
    assert {f"validation/accuracy_{codebook}" for codebook in range(1, 8)} < trainer.validate().keys()


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "run"
    data = {"data__max_s": 2.0, "data__prompt_s": 1.0, "data__min_s": 0.4, "data__unconditional_probability": 0.1}
    data |= {"data__modes": {"ar": 1.0, "nar": 1.0, "nar-len": 1.0, "len": 1.0}, **MASKS}
    store = make_store(codec=codec_identity("embedded"))
    train(make_config(trainer__out=str(folder), trainer__max_steps=2, **data), store, quiet=True)
    return folder


@pytest.mark.parametrize("mode", ["ar", "nar-len"])
def test_it_speaks_alone_together_and_in_a_stream(mode: Any, own_run: Path) -> None:
    voice = Synthesizer.load(own_run)
    assert voice.network.levels == "masks"
    said = voice.voice(talk(1.0))
    decodings = [Decoding(mode, unmasking=QUICK, guidance=1.0), Decoding(mode, unmasking=QUICK, nar=Sampling(0.8))]
    requests = [
        Request(text, said, seed=seed, max_s=1.0, decoding=decoding)
        for seed, (text, decoding) in enumerate(zip(("Hello.", "Good day to you."), decodings, strict=True))
    ]
    together = voice.batch(requests)
    for request, speech in zip(requests, together, strict=True):
        assert speech.codes.shape[0] == 8
        assert np.array_equal(voice.batch([request])[0].codes, speech.codes), "the same seed gives the same codes"
        streamed = np.concatenate([*voice.stream(request)])
        assert np.abs(streamed - speech.samples).max() < 1e-3 * max(1e-3, np.abs(speech.samples).max())


def test_a_model_of_sums_can_be_taught_so(tmp_path: Path, store: MemoryStore, configure: Configure) -> None:
    train(configure(), store, quiet=True)
    assert checkpoint.load(tmp_path / "run").network.levels == "sums"
    trainer = Trainer(configure(**MASKS, trainer__start_from=str(tmp_path / "run")), store, quiet=True)
    assert trainer.raw_network.levels == "masks"
    trainer.train_step([next(trainer.stream.batches())])
    with pytest.raises(UsageError, match=re.escape("`data.levels`: 'sums' -> 'masks'")):
        train(configure(**MASKS), store, quiet=True)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"data__modes": {"ar": 1.0}}, "needs the mode `nar`, which learns the codebooks above the first"),
        ({"data__corrupt": 0.1}, "needs `data.corrupt` = 0, since `nar` is shown no lower codebooks"),
        (
            {"distill__guidance": 2.0, "distill__weight": 1.0, "distill__teacher": "x"},
            "needs `distill.guidance` = 1",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"`data.levels` = masks {told}")):
        make_config(data__levels="masks", **values)
    if "data__corrupt" in values:
        make_config(data__levels="masks", data__modes={"ar": 1.0, "nar": 1.0, "all": 1.0}, **values)
