"""What is kept unpacked: made once, by whoever is first; where it can't be kept, nothing goes wrong."""

from pathlib import Path

import pytest

from stages.artefacts.unpacked import unpacked


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.xz"
    path.write_bytes(b"packed")
    return path


def test_it_is_unpacked_once_for_each_content(packed: Path) -> None:
    made: list[Path] = []

    def unpack(folder: Path) -> None:
        made.append(folder)
        (folder / "part").write_bytes(packed.read_bytes() * 2)

    kept = unpacked(packed, "model", unpack)
    assert kept
    assert kept.name.startswith("model-")
    assert unpacked(packed, "model", unpack) == kept
    assert (kept / "part").read_bytes() == b"packedpacked"
    packed.write_bytes(b"newer")
    newer = unpacked(packed, "model", unpack)
    assert newer
    assert (newer / "part").read_bytes() == b"newernewer"
    assert len(made) == 2
    assert sorted(path.name for path in kept.parent.iterdir()) == sorted([kept.name, newer.name]), (
        "nothing else is left"
    )


def test_of_two_at_a_time_the_first_ones_stays(packed: Path) -> None:
    def unpack(folder: Path) -> None:
        (folder / "part").write_bytes(b"second")
        if not list(folder.parent.glob("model-*")):
            assert unpacked(packed, "model", lambda first: (first / "part").write_bytes(b"first") and None)

    kept = unpacked(packed, "model", unpack)
    assert kept
    assert (kept / "part").read_bytes() == b"first"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_where_nothing_can_be_kept_there_is_none(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        (folder / "part").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    assert unpacked(packed, "model", full) is None
    folder = packed.parent / "cache" / "valle-prep" / "unpacked"
    assert not list(folder.iterdir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(packed))  # a file
    assert unpacked(packed, "model", lambda folder: None) is None
