"""Any damage to any kind of artefact: `validate` names it, and the next run repairs it and touches nothing else."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.dataset.folder import RECORDINGS
from tests.faults.conftest import NOT_COMPARED, digests, leftovers, prep, sync
from tests.pipeline.conftest import RAN

SHARD_FILE = re.compile(r"(\d+-of-\d+)\.(.+)")
DAMAGE = ("truncate", "tear", "flip", "append", "delete")


def damage(path: Path, kind: str) -> bool:
    """Damages a file; returns False if its content doesn't allow this kind of damage."""
    data = path.read_bytes()
    match kind:
        case "truncate" | "flip" | "tear" if not data:
            return False
        case "truncate":
            path.write_bytes(data[: len(data) // 2])
        case "tear":
            path.write_bytes(data[:-3])
        case "flip":
            middle = len(data) // 2
            path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case "delete":
            path.unlink()
        case "append":
            path.write_bytes(data + b"\0\n")
    return True


def states(dataset: Path) -> dict[str, tuple[int, int]]:
    """Returns inode and modification time of each artefact."""
    return {
        str(path.relative_to(dataset)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in dataset.rglob("*")
        if path.is_file() and path.name not in NOT_COMPARED
    }


class Patient:
    """A copy of the dataset that is damaged and repaired repeatedly."""

    def __init__(self, folder: Path, voices: Path, reference: dict[str, str]) -> None:
        self.folder, self.voices, self.reference = folder, voices, reference
        self.before = states(folder)

    def kinds(self, stage: str) -> dict[str, list[str]]:
        """Returns kind -> names of a stage's files; a kind is a suffix of shards (largest first) or a file name."""
        kinds: dict[str, list[str]] = {}
        for path in sorted((self.folder / stage).iterdir(), key=lambda path: -path.stat().st_size):
            found = SHARD_FILE.fullmatch(path.name)
            kinds.setdefault(found[2] if found else path.name, []).append(path.name)
        return kinds

    def finished(self, stage: str) -> set[str]:
        """Returns the files that a stage makes from all its shards."""
        return {f"{stage}/{name}" for name in self.kinds(stage) if (self.folder / stage / name).is_file()}

    def shard(self, stage: str, name: str) -> set[str]:
        """Returns the files of the shard that a file belongs to."""
        shard = name.partition(".")[0]
        return {f"{stage}/{path.name}" for path in (self.folder / stage).glob(f"{shard}.*")}

    def mend(self, harmed: set[str], expected: set[str], capsys: pytest.CaptureFixture[str]) -> None:
        """Checks that `validate` names the damaged file, and that a run replaces the expected files only."""
        capsys.readouterr()
        assert prep("validate", "--out", self.folder) == 1
        told = capsys.readouterr().err
        assert all(name in told for name in harmed), told
        assert sync("run", self.voices, "--out", self.folder) == 0
        assert digests(self.folder) == self.reference
        after = states(self.folder)
        assert {name for name in self.before | after if self.before.get(name) != after.get(name)} == expected
        assert not leftovers(self.folder)
        assert prep("validate", "--out", self.folder) == 0
        self.before = after


@pytest.fixture(scope="module")
def patient(
    voices: Path, dataset: Path, reference: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Patient]:
    folder = Path(shutil.copytree(dataset, tmp_path_factory.mktemp("patient") / "dataset"))
    assert sync("run", voices, "--out", folder) == 0
    yield Patient(folder, voices, reference)
    assert prep("validate", "--deep", "--out", folder) == 0


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("stage", [RECORDINGS, *RAN])
def test_a_damaged_shard(patient: Patient, stage: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    harmed: set[str] = set()
    expected = set() if stage == RECORDINGS else patient.finished(stage)
    for names in patient.kinds(stage).values():
        free = [name for name in names if not {f"{stage}/{name}"} & expected] if len(names) > 1 else []
        if free and damage(patient.folder / stage / free[0], kind):
            harmed.add(f"{stage}/{free[0]}")
            expected |= {*patient.shard(stage, free[0]), f"{stage}/{free[0]}"}
    assert len(harmed) >= 2
    patient.mend(harmed, expected, capsys)


@pytest.mark.parametrize("stage", RAN)
def test_damage_to_what_is_made_from_all_shards(
    patient: Patient, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = patient.finished(stage)
    assert {f"{stage}/stage.json", f"{stage}/rejects.jsonl"} <= expected
    for number, name in enumerate(sorted(expected)):
        # every kind of damage to each kind of file over the seven stages; to the larger files all of them
        large = (patient.folder / name).suffix in {".h5", ".npy", ".npz", ".parquet"}
        for kind in DAMAGE if large else (DAMAGE[(number + RAN.index(stage)) % len(DAMAGE)], "append"):
            if damage(patient.folder / name, kind):
                patient.mend({name}, expected, capsys)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_to_the_head(patient: Patient, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage(patient.folder / "dataset.json", kind)
    if kind == "delete":
        assert prep("validate", "--out", patient.folder) == 2
    else:
        assert prep("validate", "--out", patient.folder) == 1
    assert "dataset.json" in capsys.readouterr().err
    assert sync("run", patient.voices, "--out", patient.folder) == 0
    after = states(patient.folder)
    assert {name for name in after if patient.before.get(name) != after[name]} == {"dataset.json"}
    patient.before = after


@pytest.mark.parametrize("name", [".digests.sqlite", ".rates.json"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_kept_for_speed_alone_may_be_damaged(patient: Patient, name: str, kind: str) -> None:
    damage(patient.folder / name, kind)
    assert sync("run", patient.voices, "--out", patient.folder) == 0
    assert states(patient.folder) == patient.before
    assert not leftovers(patient.folder)
    assert prep("validate", "--out", patient.folder) == 0
