from dataclasses import replace

import numpy as np
import pytest
import torch

from model.network.packing import collate
from model.sequences.documents import Condition, canvas, document, whole_canvas
from model.sequences.spelled import length_document, text_document
from model.sequences.tokenizer import TASKS, Tokenizer
from model.training.step.loss import Scores, Weights, score

TOKENIZER = Tokenizer.default(3)
CODES = np.arange(36, dtype=np.uint16).reshape(3, 12) % 7


def test_sums_by_head_and_task_are_those_of_each_document() -> None:
    speech, continued = (Condition("ab", "en", CODES[:, :4], task) for task in ("tts", "tts-c"))
    masked_KT = np.array([[False] * 12, [True] * 5 + [False] * 7, [True] * 12])
    documents = {
        ("0", "tts"): document(TOKENIZER, speech, CODES, 0, 7),
        ("2", "tts-c"): document(TOKENIZER, continued, CODES, 2, 7),
        ("canvas", "tts"): canvas(TOKENIZER, speech, CODES[0], np.arange(12) < 5),
        ("all", "tts"): whole_canvas(TOKENIZER, speech, CODES, masked_KT, masked_KT),
        ("tokens", "len"): length_document(TOKENIZER, speech, TOKENIZER.encode("12"), ended=True),
        ("tokens", "stt"): text_document(TOKENIZER, CODES, TOKENIZER.encode("ab"), ended=True),
    }
    sizes = [8, 7, 7, len(TOKENIZER), 8, *[7] * 5]
    generator = torch.Generator().manual_seed(0)
    parts: dict[tuple[str, str], Scores] = {}
    for key, item in documents.items():
        batch = collate([item], 3)
        logits = [torch.randn(len(y), size, generator=generator) for y, size in zip(batch.targets, sizes, strict=True)]
        parts[key] = score(logits, batch.targets, batch.tasks)
    together = sum(list(parts.values())[1:], parts["0", "tts"]).report("x")

    def mean(*keys: tuple[str, str]) -> float:
        loss = sum(parts[key].loss_H.sum() for key in keys)
        return float(loss) / sum(int(parts[key].count_H.sum()) for key in keys)

    whole = parts["all", "tts"]
    assert [int(count) for count in whole.count_H] == [0, 0, 0, 0, 0, 0, 5, 0, 0, 12]
    own, above = float(whole.loss_H[6]) / 5, float(whole.loss_H[9]) / 12
    wanted = {
        "x/loss": mean(*documents),
        "x/loss_0": mean(("0", "tts")),
        "x/loss_2": mean(("2", "tts-c")),
        "x/loss_nar": mean(("2", "tts-c")),
        "x/loss_canvas": mean(("canvas", "tts")),
        "x/loss_all_1": own,
        "x/loss_all": own,
        "x/loss_all_above": above,
        "x/loss_tokens": mean(("tokens", "len"), ("tokens", "stt")),
        "x/loss_tts": mean(("0", "tts"), ("canvas", "tts"), ("all", "tts")),
        "x/loss_tts-c": mean(("2", "tts-c")),
        "x/loss_len": mean(("tokens", "len")),
        "x/loss_stt": mean(("tokens", "stt")),
    }
    assert {name: value for name, value in together.items() if "loss" in name} == pytest.approx(wanted, rel=1e-5)
    assert {name.replace("accuracy", "loss") for name in together} == set(wanted)


def test_devices_add_up_in_one_sum() -> None:
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    targets = [torch.arange(5)] * 3
    scores = replace(score(logits, targets, [torch.zeros(5, dtype=torch.int64)] * 3), taught=torch.tensor(0.25))
    sums = []

    def doubled(values: torch.Tensor) -> torch.Tensor:
        sums.append(values)
        return 2 * values

    assert scores.over_devices(doubled).report("x") == pytest.approx((scores + scores).report("x"))
    assert int(scores.over_devices(doubled).count_H.sum()) == 30
    assert len(sums) == 2, "one for each time"


def test_without_tasks_only_heads_are_told() -> None:
    scores = score([torch.zeros(2, 4)] * 4, [torch.tensor([0, 1])] * 4)
    assert scores.report("x")["x/accuracy"] == 0.5
    assert not {name for name in scores.report("x") if name.rpartition("_")[2] in TASKS}


def test_heads_ahead_count_for_themselves() -> None:
    """The objective is loss + w (0.8 a1 + 0.64 a2); the other sums don't know of heads ahead."""
    documents = [document(TOKENIZER, Condition("ab", "en", CODES[:, :4]), CODES, level, 7) for level in (0, 1)]
    generator, sizes = torch.Generator().manual_seed(0), [8, 7, 7, len(TOKENIZER), 8, *[7] * 5]
    batch = collate(documents, 3, ahead=2)
    logits = [torch.randn(len(y), n, generator=generator) for y, n in zip(batch.targets, [*sizes, 8, 8], strict=True)]
    scores = score(logits, batch.targets, batch.tasks, ahead=2)
    without = score(logits[:10], batch.targets[:10], batch.tasks[:10])
    first, second = (torch.nn.functional.cross_entropy(logits[n], batch.targets[n]) for n in (10, 11))
    wanted = without.loss_H.sum() + 0.3 * (0.8 * 12 * first + 0.64 * 11 * second)
    torch.testing.assert_close(scores.objective(Weights(ahead=0.3)), wanted)
    taught = replace(scores, taught=torch.tensor(5.0)).objective(Weights(taught=0.5, ahead=0.3))
    torch.testing.assert_close(taught, 0.5 * without.loss_H.sum() + 2.5 + wanted - without.loss_H.sum())
    report, plain = scores.report("x"), without.report("x")
    assert {name: report.pop(name) for name in plain} == plain
    right = [float((logits[n].argmax(-1) == batch.targets[n]).float().mean()) for n in (10, 11)]
    told = {"loss_ahead_1": first, "loss_ahead_2": second, "accuracy_ahead_1": right[0], "accuracy_ahead_2": right[1]}
    assert report == pytest.approx({f"x/{name}": float(value) for name, value in told.items()})
    assert (scores + scores).over_devices(lambda sums: sums).report("x") == pytest.approx(scores.report("x"))
