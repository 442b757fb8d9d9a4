"""A model of the delay pattern, from its configuration to what it says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from model.checkpoints import checkpoint
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY, Sampling
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.training.trainer import Trainer, train
from stages.codecs.table import codec_identity
from stages.errors import UsageError
from tests.model.conftest import Configure, MemoryStore, make_config, make_store
from tests.model.inference.conftest import talk

LATE: dict[str, Any] = {"data__levels": "delay", "data__modes": {"ar": 1.0}}


def test_all_codebooks_are_learnt_and_logged(store: MemoryStore, configure: Configure) -> None:
    trainer = Trainer(configure(**LATE), store, quiet=True)
    batch = next(trainer.stream.batches())
    before = trainer.score(batch, alone=True).report("x")
    for _ in range(12):
        trainer.train_step([batch])
    after = trainer.score(batch, alone=True).report("x")
    for codebook in range(8):
        assert after[f"x/loss_{codebook}"] < 0.95 * before[f"x/loss_{codebook}"]
    held_out = trainer.validate()
    assert {f"validation/accuracy_{codebook}" for codebook in range(8)} < held_out.keys()
    frames = sum(len(targets) for targets in batch.targets[1:8])
    assert frames == 7 * (len(batch.targets[0]) - len(batch.lengths)), "each frame once in each codebook"


@pytest.fixture(scope="module")
def late_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late") / "run"
    data = {"data__max_s": 2.0, "data__prompt_s": 1.0, "data__min_s": 0.4, "data__unconditional_probability": 0.1}
    data |= {"data__modes": {"ar": 1.0, "all": 1.0, "len": 1.0}, "data__levels": "delay"}
    store = make_store(codec=codec_identity("embedded"))
    train(make_config(trainer__out=str(folder), trainer__max_steps=2, **data), store, quiet=True)
    return folder


def test_it_speaks_alone_together_and_in_a_stream(late_run: Path) -> None:
    voice = Synthesizer.load(late_run)
    assert voice.network.levels == "delay"
    said = voice.voice(talk(1.0))
    requests = [
        Request(text, said, seed=seed, max_s=1.0, decoding=Decoding(guidance=guidance))
        for seed, (text, guidance) in enumerate((("Hello.", 1.0), ("Good day to you.", 2.0)))
    ]
    together = voice.batch(requests)
    for request, speech in zip(requests, together, strict=True):
        assert speech.codes.shape[0] == 8
        assert np.array_equal(voice.batch([request])[0].codes, speech.codes)
        streamed = np.concatenate([*voice.stream(request)])
        assert np.abs(streamed - speech.samples).max() < 1e-3 * max(1e-3, np.abs(speech.samples).max())
    other = Decoding("all", unmasking=Unmasking(2, sampling=GREEDY))
    assert voice.batch([Request("Hello.", said, max_s=1.0, decoding=other)])[0].codes.shape[0] == 8


def test_what_it_cannot_do_is_refused_in_a_line(late_run: Path) -> None:
    voice = Synthesizer.load(late_run)
    said = voice.voice(talk(1.0))
    for decoding, told in (
        (Decoding(beam_width=2, ar=Sampling()), "`beam_width` must be left out (it is 2): the model was trained with"),
        (Decoding(refine_on_stop=True), "`refine_on_stop` must be left out"),
        (Decoding("nar-len"), "was never trained in the mode"),
    ):
        with pytest.raises(UsageError, match=re.escape(told)) as raised:
            voice.speak("Hello.", prompt=said, decoding=decoding)
        assert "\n" not in str(raised.value)


def test_a_model_of_sums_speaks_as_before(tmp_path: Path, store: MemoryStore, configure: Configure) -> None:
    train(configure(), store, quiet=True)
    model = checkpoint.load(tmp_path / "run")
    assert model.network.levels == "sums"
    trainer = Trainer(configure(**LATE, trainer__start_from=str(tmp_path / "run")), store, quiet=True)
    assert trainer.raw_network.levels == "delay", "it can be taught the other way"
    trainer.train_step([next(trainer.stream.batches())])
    with pytest.raises(UsageError, match=re.escape("`data.levels`: 'sums' -> 'delay'")):
        train(configure(**LATE), store, quiet=True)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"data__modes": {"ar": 1.0, "nar": 1.0}},
            "needs `data.modes` without `nar`, since `ar` predicts all codebooks",
        ),
        ({"data__modes": {"ar": 1.0, "nar-len": 1.0}}, "needs `data.modes` without `nar-len`"),
        ({"data__modes": {"all": 1.0}}, "needs the mode `ar`"),
        ({"data__modes": {"ar": 1.0}, "model__group": 2}, "needs `model.group` = 1"),
        ({"data__modes": {"ar": 1.0}, "model__ahead": 2}, "needs `model.ahead` = 0"),
        (
            {
                **{"data__modes": {"ar": 1.0}, "distill__guidance": 2.0, "distill__weight": 1.0},
                "distill__teacher": "x",
            },
            "needs `distill.guidance` = 1",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"`data.levels` = delay {told}")):
        make_config(data__levels="delay", **values)
