"""Where a run goes, for what is asked: with stand-ins for devices that aren't here."""

from types import SimpleNamespace

import lightning.fabric
import pytest
import torch

from model.device import make_fabric, resolve_precision
from stages.errors import UsageError
from tests.model.conftest import make_config

CUDA = torch.device("cuda")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What Fabric is given, on a machine with four Turing devices."""
    found: dict[str, object] = {}

    def fabric(**settings: object) -> SimpleNamespace:
        found.update(settings)
        return SimpleNamespace(launch=lambda: None)

    monkeypatch.setattr(lightning.fabric, "Fabric", fabric)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    return found


def test_a_single_device_is_taken_or_refused(given: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    make_fabric(make_config(trainer__device="cuda:2"))
    assert given["devices"] == [2]
    make_fabric(make_config(trainer__device="cuda", trainer__devices=3))
    assert given["devices"] == 3
    with pytest.raises(UsageError, match=r"is 'cuda:2', a single device, but `trainer.devices` is 3\. Set it"):
        make_fabric(make_config(trainer__device="cuda:2", trainer__devices=3))
    for name, value in {"TORCHELASTIC_RUN_ID": "a", "LOCAL_WORLD_SIZE": "1", "GROUP_WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="`torchrun` gives each process its own"):
        make_fabric(make_config(trainer__device="cuda:0"))


@pytest.mark.usefixtures("given")
def test_threads_hold_beside_a_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    make_fabric(make_config(trainer__device="cuda", trainer__threads=3))
    assert threads == [3]


@pytest.mark.usefixtures("given")
def test_bfloat16_is_taken_where_it_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_precision("auto", CUDA) == "32-true"
    assert resolve_precision("bf16-mixed", CUDA) == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    assert resolve_precision("auto", CUDA) == "bf16-mixed"
