"""Tests the reports of a run's speed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from model.training.run import progress
from model.training.run.flops import measured_rate, training_flops
from model.training.run.progress import Meter
from model.training.step.loss import score
from tests.model.data.test_stream import stream
from tests.model.network.test_decoder import network, run


def test_rates_count_documents_and_leave_pauses_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    plain = SimpleNamespace(precision=SimpleNamespace(precision="32-true"))
    fabric = SimpleNamespace(strategy=plain, device=torch.device("cpu"), world_size=1)
    net = network()
    batch = next(stream(600).batches())
    scores = score(run(net, batch), batch.targets).detach()
    useful = sum(batch.lengths)
    flops = training_flops(net, batch.lengths, batch.causal, [len(rows) for rows in batch.rows])

    meter = Meter(fabric, net, budget=2 * useful)
    wide = replace(batch, tokens_L=torch.zeros(useful + 100, dtype=torch.int64))
    for one in (batch, wide):
        meter.add(scores, 1.5, [one])
        now[0] += 2.0
    with meter.paused():
        now[0] += 5.0
    told = meter.report()
    assert told["tokens_per_s"] == pytest.approx(2 * useful / 4)
    assert told["padding_share"] == pytest.approx(100 / (2 * useful + 100))
    assert told["budget_unused"] == pytest.approx(1 - (2 * useful + 100) / (4 * useful))
    assert told["tflops_per_s"] == pytest.approx(2 * flops / 4 / 1e12)
    assert told["mfu"] == pytest.approx(2 * flops / 4 / measured_rate(torch.device("cpu"), torch.float32))
    assert told["grad_norm"] == 1.5
    assert meter.seconds(10) == pytest.approx(10 * 9 / 2), "how long it takes counts the pauses"
    now[0] += 3.0
    meter.add(scores, float("nan"), [batch])
    told = meter.report()
    assert told["tokens_per_s"] == pytest.approx(useful / 3), "what is told is told once"
    assert "grad_norm" not in told
