"""Pickled files of codes: genuine ones are read, and no code in a hostile one is run."""

import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import AudioError
from stages.exchange.pickled import read_artefact

CODES = np.random.default_rng(0).integers(0, 1024, (1, 8, 40)).astype(np.uint16)
METADATA = {
    "original_length": np.int64(12_800),
    "sample_rate": 24_000,
    "text": "Grüße, 世界.",
    "phonemes": ["ɡ", "ʁ"],
    "language": "de",
    "input_db": np.array([-16.5], np.float32),
    "padding": True,
    "nothing": None,
}


def save(path: Path, value: Any, protocol: int = 4) -> Path:
    """Writes what `np.save` writes, with another protocol."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(np.array(value, dtype=object), file, protocol=protocol)
    return path


def test_what_numpy_saves_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.enc").open("wb") as file:
        np.save(file, {"codes": CODES, "metadata": METADATA}, allow_pickle=True)
    found = read_artefact(tmp_path / "a.enc")
    np.testing.assert_array_equal(found.codes_KT, CODES[0])
    assert found.codes_KT.dtype == np.uint16
    assert {k: v for k, v in found.metadata.items() if k != "input_db"} == {
        k: v for k, v in METADATA.items() if k != "input_db"
    }
    assert found.metadata["input_db"].tolist() == [-16.5]


def test_what_the_library_of_dac_saves_is_read(tmp_path: Path) -> None:
    import torch
    from dac.model.base import DACFile

    codes = torch.from_numpy(CODES.astype(np.int64))
    made = DACFile(codes, 40, 12_800, torch.tensor([-20.0]), 1, 24_000, False, "1.0.0")
    path = made.save(tmp_path / "a.dac")
    np.testing.assert_array_equal(read_artefact(path).codes_KT, CODES[0])
    assert read_artefact(path).metadata["sample_rate"] == 24_000


@settings(max_examples=25)
@given(
    protocol=st.integers(0, 4),
    dtype=st.sampled_from(["<u2", ">u2", "<i8", "|u1"]),
    fortran=st.booleans(),
    frames=st.integers(1, 9),
    single=st.booleans(),
)
def test_every_protocol_type_and_order_is_read(
    tmp_path_factory: pytest.TempPathFactory, *, protocol: int, dtype: str, fortran: bool, frames: int, single: bool
) -> None:
    codes = np.random.default_rng(frames).integers(0, 255, (1, 3, frames)).astype(dtype)
    codes = np.asfortranarray(codes) if fortran else codes
    path = save(tmp_path_factory.mktemp("a") / "a.enc", {"codes": codes[0] if single else codes}, protocol)
    np.testing.assert_array_equal(read_artefact(path).codes_KT, codes[0])


class Hostile:
    """Pickles as a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", range(5))
def test_a_hostile_file_is_refused_and_nothing_in_it_is_run(tmp_path: Path, protocol: int) -> None:
    proof = tmp_path / "proof"
    calls = [
        (os.system, f"touch {proof}"),
        (eval, f"open({str(proof)!r}, 'w')"),
        (Path.touch, proof),
        (np.save, str(proof), 1),
        (getattr, np.ndarray, "tofile"),
        (__import__, "this"),
    ]
    for call in calls:
        for value in (
            Hostile(*call),
            {"codes": Hostile(*call), "metadata": {}},
            {"codes": CODES, "metadata": {"text": Hostile(*call)}},
        ):
            path = save(tmp_path / "a.enc", value, protocol)
            with pytest.raises(AudioError, match="may run code") as error:
                read_artefact(path)
            assert error.value.reason == "UnsafePickle"
    assert not proof.exists()
    np.load(save(tmp_path / "a.enc", Hostile(os.system, f"touch {proof}"), protocol), allow_pickle=True)
    assert proof.exists(), "numpy itself runs what is refused here"


GADGETS = {
    "attributes of a name": b"\x8c\x05numpy\x8c\x0cdtype.mro.im\x93.",
    "state of a function": b"cnumpy\ndtype\n}X\x05\x00\x00\x00_workK\x01sb.",
    "an instance": b"\x8c\x05numpy\x8c\x07ndarray\x93)\x81.",
    "an extension": b"\x82\x01.",
    "a persistent id": b"Pname\n.",
    "no end": b"}",
    "no stack": b"R.",
    "a huge array": b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftcnumpy\ndtype\n"
    b"X\x02\x00\x00\x00u8\x85R\x89C\x01xtb.",
}


@pytest.mark.parametrize("name", GADGETS)
def test_tricks_of_the_format_are_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path / "a.enc", 0)
    head = (tmp_path / "a.enc").read_bytes()[:128]
    assert head.startswith(b"\x93NUMPY")
    (tmp_path / "a.enc").write_bytes(head + GADGETS[name])
    with pytest.raises(AudioError) as error:
        read_artefact(tmp_path / "a.enc")
    assert error.value.reason in {"UnsafePickle", "NotCodes"}
    assert "\n" not in str(error.value)


@settings(max_examples=150)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_gives_one_line(tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool) -> None:
    path = save(tmp_path_factory.getbasetemp() / "damaged.enc", {"codes": CODES[:, :2, :5], "metadata": METADATA})
    data = bytearray(path.read_bytes())
    at %= len(data)
    if cut:
        del data[at:]
    else:
        data[at] = byte
    path.write_bytes(data)
    try:
        read_artefact(path)
    except AudioError as error:
        assert "\n" not in str(error)


def test_other_content_is_refused(tmp_path: Path) -> None:
    for value, problem in (
        ([1], "holds list"),
        ({"text": "x"}, "holds a dictionary of text"),
        ({"codes": CODES.astype(np.float32)}, r"float32 \[1, 8, 40\]"),
        ({"codes": np.repeat(CODES, 2, axis=0)}, r"uint16 \[2, 8, 40\]"),
        ({"codes": CODES[:, :, :0]}, r"uint16 \[1, 8, 0\]"),
    ):
        with pytest.raises(AudioError, match=problem):
            read_artefact(save(tmp_path / "a.enc", value))
    with (tmp_path / "b.enc").open("wb") as file:
        np.save(file, CODES)
    with pytest.raises(AudioError, match=r"an array <u2 \(1, 8, 40\), not a dictionary"):
        read_artefact(tmp_path / "b.enc")
    with pytest.raises(AudioError, match="No such file"):
        read_artefact(tmp_path / "gone.enc")


def test_the_pickles_of_numpy_name_nothing_else(tmp_path: Path) -> None:
    """The names in the table are those that the installed NumPy writes."""
    data = pickle.dumps(np.array({"codes": CODES, "metadata": METADATA}, dtype=object), protocol=2)
    named = {arg for op, arg, _ in pickletools.genops(data) if op.name == "GLOBAL"}
    assert {name.replace("_core", "core") for name in named} == {
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
    }
