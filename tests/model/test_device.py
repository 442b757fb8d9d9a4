"""Where a run goes, for what is asked: with stand-ins for devices that aren't here."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.bench.decoding.steps import decoding
from model.checkpoints.saving import write
from model.device import inference_dtype, resolve_precision
from model.inference.synthesizer import Synthesizer
from model.network.decoder import Decoder
from model.training.parallel.fabric import make_fabric
from stages.errors import UsageError
from tests.model.conftest import make_config, make_snapshot

CUDA = torch.device("cuda")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What Fabric is given, on a machine with four Turing devices."""
    found: dict[str, object] = {}

    def fabric(**settings: object) -> SimpleNamespace:
        found.update(settings)
        return SimpleNamespace(launch=lambda: None)

    monkeypatch.setattr("lightning_fabric.Fabric", fabric)
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


@pytest.mark.usefixtures("given")
def test_speech_is_made_in_bfloat16_only_where_it_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inference_dtype(CUDA) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    assert inference_dtype(CUDA) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert inference_dtype(torch.device("cpu")) == torch.float32, "what a CPU says stays the same to the last bit"


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_a_model_and_its_bench_are_brought_to_what_the_device_multiplies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    brought: list[object] = []

    class StoppedError(Exception):
        pass

    def to(network: Decoder, *where: object) -> Decoder:
        brought.extend(one for one in where if isinstance(one, torch.dtype))
        if brought:
            raise StoppedError
        return network

    config = make_config(trainer__device="cuda")
    write(tmp_path, make_snapshot(config, 1))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(Decoder, "to", to)
    for speak in (lambda: Synthesizer.load(tmp_path, "cuda"), lambda: decoding(config, seconds=0.1)):
        brought.clear()
        with pytest.raises(StoppedError):
            speak()
        assert brought == [dtype]


TRAINING = """
import sys
import model.training.trainer
from model.training.parallel.fabric import make_fabric
from tests.model.conftest import make_config
make_fabric(make_config())
print(*sorted(sys.modules))
import torchmetrics
assert torchmetrics.Metric
"""


def test_to_train_loads_nothing_that_it_does_not_use() -> None:
    """Of torchmetrics Fabric asks for the version; who imports it afterwards gets all of it."""
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "lightning_fabric" in loaded
    unwanted = {"lightning", "pytorch_lightning", "torchmetrics", "transformers", "matplotlib", "scipy", "peft"}
    assert not unwanted & set(loaded)


PRELOADED = """
import sys
import torch
before = set(sys.modules)
import model.inference.synthesizer
import model.serving.server
print(*sorted(set(sys.modules) - before))
"""


def test_to_speak_loads_nothing_that_only_training_needs() -> None:
    """What `import torch` brings itself is torch's own: `torch.distributed`, say, but none of these."""
    done = subprocess.run([sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "model.serving.server" in loaded
    unwanted = "lightning", "torch.distributed.fsdp", "torch._dynamo", "torch._inductor", "peft", "transformers"
    assert not [name for name in loaded if name.startswith(unwanted)]
