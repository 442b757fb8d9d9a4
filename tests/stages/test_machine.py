"""The cores that a process may use, and the names of devices."""

import os

import pytest

from stages.errors import UsageError
from stages.machine import Device, cores, on_gpu, parse_device, processor


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_the_processor_has_a_name() -> None:
    assert processor().strip() == processor() != ""


@pytest.mark.parametrize(
    ("name", "device"),
    [("cpu", Device("cpu")), ("cuda", Device("cuda")), ("cuda:0", Device("cuda", 0)), ("cuda:12", Device("cuda", 12))],
)
def test_names_of_devices(name: str, device: Device) -> None:
    assert parse_device(name) == device
    assert on_gpu(name) == (device.kind == "cuda")


@pytest.mark.parametrize("name", ["", "gpu", "auto", "cpu:0", "cuda:", "cuda:-1", "cuda:²", "cuda:1:2", "cpu\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must be a device: `cpu`, `cuda` or `cuda:N`"):
        parse_device(name)
    with pytest.raises(UsageError, match="`--device` must be auto, cpu, cuda or cuda:N, but is `"):
        parse_device(name, option="--device")
