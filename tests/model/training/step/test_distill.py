"""Tests distillation: the formula, its gradient, the trained student, and the teachers that are refused."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from model.checkpoints import checkpoint, saving
from model.checkpoints.checkpoint import Meta
from model.data.reading import read_document
from model.decoding.options import Decoding
from model.network.attention import Packed
from model.network.packing import Batch, collate
from model.sequences.documents import Condition, document
from model.sequences.tokenizer import Tokenizer
from model.training.plan import describe
from model.training.start import built_in_guidance
from model.training.step.distill import Teacher, divergence
from model.training.trainer import Trainer, train
from stages.errors import CodecError, MissingInputError, UsageError
from tests.model.conftest import CODEC, Configure, MemoryStore, make_config
from tests.model.training.test_trainer import log_of

ROOT = Path(__file__).resolve().parents[4]


def write_teacher(folder: Path, tokenizer: Tokenizer | None = None, **values: Any) -> Path:
    """Writes a teacher that is larger than the student, and confident."""
    config = make_config(**{"model__width": 48, "model__dropout": 0.2, **values})
    tokenizer = tokenizer or Tokenizer.default(8)
    network = checkpoint.build(config, tokenizer, CODEC)
    network.initialise(torch.Generator().manual_seed(9))
    with torch.no_grad():
        for head in network.heads:
            head.weight.mul_(20)
    meta = Meta(3, CODEC, "other", ("a",))
    saving.write(folder, saving.Snapshot(network.state_dict(), {}, config, tokenizer, meta))
    return checkpoint.find(folder)


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return write_teacher(tmp_path / "teacher")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_it_is_the_formula_with_the_gradient_of_the_paper(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    teacher_MV, student_MV = torch.randn(2, 5, 9, generator=generator, dtype=torch.float64)
    student_MV.requires_grad_()
    p, q = ((logits / temperature).softmax(-1) for logits in (teacher_MV, student_MV))
    found = divergence(teacher_MV, student_MV, temperature)
    torch.testing.assert_close(found, temperature**2 * (p * (p / q).log()).sum())
    found.backward()
    torch.testing.assert_close(student_MV.grad, temperature * (q - p).detach(), msg="equation 2, times T squared")


def test_a_high_temperature_matches_logits() -> None:
    """Equation 4 of the paper: with logits of mean zero the gradient becomes (z - v) / N."""
    teacher_MV, student_MV = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    teacher_MV, student_MV = (logits - logits.mean(-1, keepdim=True) for logits in (teacher_MV, student_MV))
    student_MV.requires_grad_()
    divergence(teacher_MV, student_MV, 1e4).backward()
    torch.testing.assert_close(student_MV.grad, (student_MV - teacher_MV).detach() / 9, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [{"model__group": 2}, {"model__arch": "retnet", "model__kv_heads": None}], ids=str)
def test_the_step_is_that_of_both_losses_as_weighed(
    tmp_path: Path, store: MemoryStore, configure: Configure, shape: dict[str, Any]
) -> None:
    """The gradient of a step equals that of the formula over all predictions, the teacher without dropout."""
    folder = write_teacher(tmp_path / "teacher", model__group=shape.get("model__group", 1))
    settings = {"distill__teacher": str(folder), "distill__weight": 0.3, "distill__temperature": 3.0, **shape}
    trainer = Trainer(configure(**settings, optimizer__clip_norm=1e9), store, quiet=True)
    examples = trainer.stream.examples
    batch = collate([read_document(examples, examples.draw(row, np.random.default_rng(row))) for row in range(6)], 8)
    attend = Packed(batch.lengths, batch.causal, torch.device("cpu"))
    inputs = batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows
    taught = checkpoint.load(folder).network.eval()(*inputs)
    network = trainer.raw_network
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    total = torch.tensor(0.0)
    for own, theirs, target in zip(network(*inputs), taught, batch.targets, strict=True):
        p, q = ((logits / 3.0).softmax(-1) for logits in (theirs.detach(), own))
        total = total + 0.7 * -own.log_softmax(-1).gather(1, target[:, None]).sum()
        total = total + 0.3 * 9.0 * (p * (p / q).log()).sum()
    (total / batch.num_targets).backward()
    wanted = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    network.zero_grad()

    _, norm = trainer.train_step([batch])
    assert norm == pytest.approx(float(wanted.norm()), rel=1e-4)
    assert any((weight != before[name]).any() for name, weight in network.named_parameters())


def test_heads_ahead_learn_from_the_codes_alone(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    plain, ahead = (
        Trainer(configure(distill__teacher=str(teacher), model__ahead=n), store, quiet=True) for n in (0, 2)
    )
    scores = [trainer.score(next(trainer.stream.batches())) for trainer in (plain, ahead)]
    torch.testing.assert_close(scores[0].taught, scores[1].taught)
    torch.testing.assert_close(scores[0].loss_H, scores[1].loss_H)
    assert scores[1].ahead_3N.shape == (3, 2)
    ahead.train_step([next(ahead.stream.batches())])
    assert all(head.down.weight.any() for head in ahead.raw_network.ahead)


def test_a_student_comes_to_speak_as_its_teacher(
    tmp_path: Path, teacher: Path, store: MemoryStore, configure: Configure
) -> None:
    """The codes are random, so the student can learn only from the teacher."""
    config = configure(
        **{"distill__teacher": str(teacher), "distill__weight": 1.0, "model__width": 64, "model__kv_heads": None},
        **{"trainer__max_steps": 30, "trainer__validate_every": 30, "optimizer__lr": 1e-2},
    )
    train(config, store, quiet=True)
    log = log_of(tmp_path / "run")
    told = [line["train/distill"] for line in log if "train/distill" in line]
    assert told[-1] < 0.8 * told[0]
    assert all("train/loss" in line for line in log if "train/distill" in line)
    assert not any("validation/distill" in line for line in log)


def test_a_stopped_student_goes_on_as_if_it_never_had_been(tmp_path: Path, teacher: Path, store: MemoryStore) -> None:
    ends = []
    for name, stops in (("whole", [6]), ("parts", [4, 6])):
        for steps in stops:
            out = {"trainer__out": str(tmp_path / name), "trainer__max_steps": steps}
            config = make_config(**out, distill__teacher=str(teacher), optimizer__schedule="constant")
            train(config, store, quiet=True, resume=steps != stops[0])
        ends.append(checkpoint.load(tmp_path / name).network.state_dict())
    for name, weight in ends[0].items():
        assert torch.equal(weight, ends[1][name]), name


def test_a_dry_run_tells_the_teacher(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    plain, told = (describe(configure(**more), store) for more in ({}, {"distill__teacher": str(teacher)}))
    network = checkpoint.load(teacher).network
    size = network.num_parameters()
    assert told["teacher"] == str(teacher)
    assert told["teacher_parameters"] == size
    predicted = 5 * 4 * network.codebook_size * 600  # positions of a batch
    assert told["memory_gb"] == pytest.approx(plain["memory_gb"] + 4e-9 * size + 1e-9 * predicted, abs=0.01)
    assert "teacher" not in plain


LETTERS = "aeiou"


def letters() -> MemoryStore:
    """Short utterances whose text tells most of their codes: each letter has eight, taken six times of ten."""
    rng = np.random.default_rng(5)
    rows = [row % len(LETTERS) for row in range(60)]
    codes = []
    for letter in rows:
        shape = CODEC.num_codebooks, int(rng.integers(6, 10))
        own, any_ = rng.integers(0, 8, shape) + 8 * letter, rng.integers(0, 8 * len(LETTERS), shape)
        codes.append(np.where(rng.random(shape) < 0.6, own, any_).astype(np.uint16))
    texts = [LETTERS[letter] * int(rng.integers(3, 8)) for letter in rows]
    return MemoryStore(codes, texts, [f"g/s{row % 3}" for row in range(60)], ["en"] * 60)


SHORT = {
    **{"data__modes": {"ar": 1.0}, "data__min_s": 0.05, "data__unconditional_probability": 0.3},
    **{"data__continuation_probability": 0.0, "optimizer__lr": 1e-2},
}


def kl_of_the_first_codebook(student: Path, teacher: Path, guidance: float) -> float:
    """KL(teacher with guidance || student without), a prediction of codebook 0, on documents of its own."""
    store = letters()
    networks = {name: checkpoint.load(path) for name, path in (("student", student), ("teacher", teacher))}
    rows = [(Condition(store.phonemes(row), "en", store.codes(59 - row)), store.codes(row)) for row in range(20)]

    def logits(name: str, *, drop: bool) -> torch.Tensor:
        loaded = networks[name]
        pairs = [(condition.dropped() if drop else condition, response) for condition, response in rows]
        batch = collate([document(loaded.tokenizer, *pair, 0, CODEC.codebook_size) for pair in pairs], 8)
        attend = Packed(batch.lengths, batch.causal, torch.device("cpu"))
        with torch.no_grad():
            return loaded.network.eval()(batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows)[0]

    guided = logits("teacher", drop=True)
    guided = guided + guidance * (logits("teacher", drop=False) - guided)
    return float(divergence(guided, logits("student", drop=False), 1.0)) / len(guided)


@pytest.fixture(scope="module")
def guidable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that has learnt a little, with and without text and prompt."""
    folder = tmp_path_factory.mktemp("guidable") / "run"
    train(make_config(trainer__out=str(folder), trainer__max_steps=120, **SHORT), letters(), quiet=True)
    return folder


def test_a_student_speaks_in_one_pass_as_its_teacher_does_with_guidance(tmp_path: Path, guidable: Path) -> None:
    """It starts from the teacher; without guidance, the same steps leave it where the teacher is."""
    store = letters()
    shape = {**SHORT, "distill__weight": 1.0, "distill__temperature": 1.0, "optimizer__lr": 3e-3}
    shape |= {"trainer__start_from": str(guidable), "distill__teacher": str(guidable), "trainer__max_steps": 80}
    far = kl_of_the_first_codebook(guidable, guidable, 4.0)
    for name, guidance in (("guided", 4.0), ("plain", 1.0)):
        out = {"trainer__out": str(tmp_path / name), "distill__guidance": guidance}
        train(make_config(**shape, **out), store, quiet=True)
    assert far > 0.05, "guidance must change something"
    assert kl_of_the_first_codebook(tmp_path / "guided", guidable, 4.0) < 0.3 * far
    assert kl_of_the_first_codebook(tmp_path / "plain", guidable, 4.0) > 0.7 * far

    told = checkpoint.load(tmp_path / "guided").meta
    assert told.guidance == 4.0
    assert checkpoint.load(tmp_path / "plain").meta.guidance is None
    trained = make_config(data__unconditional_probability=0.3).data
    assert Decoding().settled(trained, tmp_path, told.guidance).guidance == 1.0
    assert Decoding("nar-len").settled(trained, tmp_path, told.guidance).guidance == 1.0
    with pytest.raises(UsageError, match="already speaks as with guidance 4, in one pass"):
        Decoding(guidance=2.0).settled(trained, tmp_path, told.guidance)
    # What is trained on from it has the guidance still, and can't teach guidance.
    for key in ("distill__teacher", "trainer__start_from"):
        assert built_in_guidance(make_config(**{key: str(tmp_path / "guided")}), None) == 4.0
    config = make_config(**shape, distill__guidance=2.0)
    config = config.model_copy(
        update={"distill": config.distill.model_copy(update={"teacher": str(tmp_path / "guided")})}
    )
    with pytest.raises(UsageError, match="already speaks as with guidance 4"):
        describe(config, store)


@pytest.mark.parametrize("spacing", [0.0, 3.0])
@pytest.mark.parametrize(
    "modes", [{"ar": 1.0, "nar": 1.0}, {"nar-len": 1.0, "len": 1.0}, {"all": 1.0, "len": 1.0}], ids=str
)
def test_the_teacher_is_guided_as_decoding_guides_it(
    tmp_path: Path, store: MemoryStore, configure: Configure, modes: dict[str, float], spacing: float
) -> None:
    """The divergence, by the definition: codebook 0 guided, in nar-len and all rescaled, all else as it is."""
    shape = {"data__modes": modes, "model__text_spacing": spacing}
    folder = write_teacher(tmp_path / "teacher", data__unconditional_probability=0.1, **shape)
    settings = {"distill__teacher": str(folder), "distill__weight": 1.0, "distill__guidance": 3.0, **shape}
    trainer = Trainer(configure(**settings, distill__rescale=0.5), store, quiet=True)
    examples = trainer.stream.examples
    draws = [examples.draw(row, np.random.default_rng(row)) for row in range(8)]
    batch = collate([read_document(examples, draw) for draw in draws], 8)
    empty = [replace(draw, phonemes="", prompt=(), input=None, tone="") for draw in draws]
    plain = collate([read_document(examples, draw) for draw in empty], 8)
    network = checkpoint.load(folder).network.eval()

    def predicted(one: Batch) -> list[torch.Tensor]:
        attend = Packed(one.lengths, one.causal, torch.device("cpu"), one.given)
        with torch.no_grad():
            return network(one.tokens_L, one.codes_LK, one.positions_L, attend, one.rows)

    with_, without, total = predicted(batch), predicted(plain), 0.0
    own = trainer.raw_network(batch.tokens_L, batch.codes_LK, batch.positions_L, trainer.attention(batch), batch.rows)
    for head, student in enumerate(own):
        wanted = with_[head]
        if head in (0, 9, 10) and len(wanted):
            wanted = without[head] + 3.0 * (with_[head] - without[head])
            if head:
                wanted = wanted * (0.5 * with_[head].std(-1, keepdim=True) / wanted.std(-1, keepdim=True) + 0.5)
        total += float(divergence(wanted, student.detach(), 2.0))
    taught = trainer.score(batch).taught
    assert taught is not None
    assert float(taught.detach()) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"distill__weight": 1.0}, "`distill.guidance` above 1 needs `distill.teacher`"),
        ({"distill__teacher": "x"}, "`distill.guidance` above 1 needs `distill.weight` = 1"),
        (
            {"distill__teacher": "x", "distill__weight": 1.0, "data__modes": {"nar": 1.0}},
            "needs one of the modes `ar`, `nar-len`, `all`",
        ),
    ],
)
def test_guidance_without_what_it_needs_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)):
        make_config(distill__guidance=2.0, **values)


MISFITS: dict[str, tuple[Callable[[Path], Path], dict[str, Any], type[Exception], str]] = {
    "vocabulary": (
        lambda folder: write_teacher(folder, Tokenizer.default(8).with_tones(["calm"])),
        {},
        UsageError,
        "must share the vocabulary with the model that learns from it, but has 1 more tokens, such as"
        " `<tone calm>`. Use another teacher, or give this model the teacher's configuration.",
    ),
    "group": (
        lambda folder: write_teacher(folder, model__group=2),
        {},
        UsageError,
        "must share `model.group` = 1 with the model that learns from it, but has 2.",
    ),
    "text_spacing": (
        write_teacher,
        {"model__text_spacing": 4.0},
        UsageError,
        "must share `model.text_spacing` = 4.0 with the model that learns from it, but has 0.0.",
    ),
    "levels": (
        lambda folder: write_teacher(folder, data__levels="delay", data__modes={"ar": 1.0}),
        {"data__modes": {"ar": 1.0}},
        UsageError,
        "must share `data.levels` = sums with the model that learns from it, but has delay.",
    ),
    "mode": (write_teacher, {"data__modes": {"ar": 1.0, "stt": 1.0}}, UsageError, "but wasn't trained on `stt`."),
    "task": (write_teacher, {"data__tasks": {"cse": 1.0}}, UsageError, "but wasn't trained on `cse`."),
    "guidance": (
        write_teacher,
        {"distill__guidance": 2.0, "distill__weight": 1.0},
        UsageError,
        "needs a teacher that was also trained without text and prompt",
    ),
    "nothing": (lambda folder: folder, {}, MissingInputError, "must be a checkpoint or a run's folder"),
}


PACES = {"a": 5.0, "b": 2.5, "": 4.0}


def test_a_student_lays_texts_out_as_its_teacher_does(tmp_path: Path, store: MemoryStore, configure: Configure) -> None:
    """Its own training set would have other paces; with others already, as of `start_from`, it is refused."""
    measured = {"model__text_spacing": "measured"}
    vocabulary = Tokenizer.default(8)
    teacher = write_teacher(tmp_path / "teacher", vocabulary.paced(PACES), **measured)
    config = configure(distill__teacher=str(teacher), **measured)
    assert Trainer(config, store, quiet=True).tokenizer.paces == PACES
    describe(config, store)

    other = write_teacher(
        tmp_path / "other", vocabulary.paced({**PACES, "b": 3.0}), model__width=32, model__dropout=0.0, **measured
    )
    begun = configure(distill__teacher=str(teacher), trainer__start_from=str(other), **measured)
    for act in (describe, Trainer):
        with pytest.raises(UsageError) as raised:
            act(begun, store)  # type: ignore[operator]
        told = "must share the paces of `model.text_spacing: measured` with the model that learns from it, but has"
        assert f"{told} other ones, such as 2.5 frames for `b` in place of 3." in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("what", MISFITS)
def test_a_teacher_that_does_not_fit_is_refused_before_anything_is_done(
    tmp_path: Path, store: MemoryStore, configure: Configure, what: str
) -> None:
    make, values, kind, told = MISFITS[what]
    config = configure(distill__teacher=str(make(tmp_path / "teacher")), **values)
    for act in (describe, lambda *given: train(*given, quiet=True)):
        with pytest.raises(kind) as raised:
            act(config, store)  # type: ignore[operator]
        assert told in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_teacher_of_another_codec_is_refused(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    store.codec = replace(CODEC, codebook_size=32)
    with pytest.raises(CodecError, match="`codebook_size` must be 64, but is 32"):
        describe(configure(distill__teacher=str(teacher)), store)


def test_the_teacher_is_not_trained(teacher: Path, configure: Configure) -> None:
    network = Teacher(
        configure(distill__teacher=str(teacher)), Tokenizer.default(8), CODEC, torch.device("cpu")
    ).network
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())
