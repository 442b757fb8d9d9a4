"""The doctor finds what is missing, names the fix, and never fails on a broken installation."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import PrepConfig
from pipeline.doctor import (
    check as doctor_checks,
)
from pipeline.doctor import (
    examine as doctor,
)
from pipeline.doctor import (
    machine as doctor_machine,
)
from pipeline.doctor import (
    weights as doctor_weights,
)
from pipeline.doctor.check import GROUPS, Check, Setup, probe
from stages.cleaning.table import CLEANERS
from stages.codecs.table import CODECS
from stages.config import load_config
from stages.errors import WeightsError
from tests.pipeline.conftest import EMBEDDED, prep
from tests.stages.genuine_codecs import save_mimi

QUICK = ("--scheduler", "sync", "--set", "transcribe.transcripts=require")
"""Options that skip the import of whisperX, which takes seconds."""


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probed_once: None) -> None:
    """A machine without weights and without a network."""
    for name in ("HOME", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    for name in ("VALLE_ENCODEC_WEIGHTS", "VALLE_VOCOS_WEIGHTS", "VALLE_DAC_WEIGHTS", "TORCH_HUB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty" / "hub"))

    def refuse(host: object, *arguments: object, **options: object) -> object:
        assert host is None or str(host)[0].isdigit(), f"the doctor reaches for the network: {host}"
        return real(host, *arguments, **options)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def setup(tmp_path: Path, *sets: str, **options: object) -> Setup:
    return Setup(load_config(PrepConfig, None, sets), tmp_path / "dataset", **options)  # type: ignore[arg-type]


def row(rows: list[Check], name: str) -> Check:
    return next(check for check in rows if check.name == name)


def test_missing_weights_of_the_configured_codec_are_a_problem(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert prep("doctor", "--out", tmp_path / "d", "--json", *QUICK) == 1
    result = json.loads(capsys.readouterr().out)
    assert list(result) == ["checks", "exit_code"]
    assert result["exit_code"] == 1
    assert {tuple(check) for check in result["checks"]} == {("name", "group", "status", "value", "hint")}
    assert {check["group"] for check in result["checks"]} == set(GROUPS)
    assert {check["status"] for check in result["checks"]} <= {"ok", "note", "problem"}
    [problem] = [check for check in result["checks"] if check["status"] == "problem"]
    assert (problem["name"], problem["value"]) == ("codec encodec", "missing")
    for way in ("encode.weights", "VALLE_ENCODEC_WEIGHTS", "encode.codec=embedded", "encodec_24khz-d7cc33bc.th"):
        assert way in problem["hint"]


def test_the_embedded_codec_needs_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert prep("doctor", "--out", tmp_path / "d", *QUICK, *EMBEDDED) == 0
    out, err = capsys.readouterr()
    assert not out
    assert "codec embedded" in err
    assert "həlˈoʊ" in err
    assert "にほんご" in err
    assert err.rstrip().splitlines()[-1].startswith("0 problems, ")
    assert not (tmp_path / "d").exists()


def test_a_dataset_is_examined_with_the_configuration_that_made_it(
    capsys: pytest.CaptureFixture[str], dataset: Path
) -> None:
    before = sorted(dataset.rglob("*"))
    assert prep("doctor", "--out", dataset, "--scheduler", "sync", "--json") == 0
    result = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "configured" in result["codec embedded"]["value"]
    assert "nothing to transcribe" in result["whisper"]["value"]
    assert "import whisperx" not in result
    assert sorted(dataset.rglob("*")) == before


def test_quiet_says_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (doctor_weights.codecs,))
    assert prep("doctor", "--out", tmp_path / "d", "--quiet") == 1
    assert capsys.readouterr() == ("", "")


def test_every_codec_of_the_table_has_its_row(tmp_path: Path) -> None:
    rows = doctor_weights.codecs(setup(tmp_path, "encode.codec=dac"))
    assert [check.name for check in rows] == [f"codec {name}" for name in CODECS]
    statuses = {check.name: check.status for check in rows}
    assert statuses.pop("codec dac") == "problem"
    assert statuses["codec embedded"] == "ok"
    assert set(statuses.values()) <= {"ok", "note"}
    assert "weights_44khz_8kbps" in row(rows, "codec dac").hint
    assert all(row.licence for row in CODECS.values())
    rows = doctor_weights.codecs(setup(tmp_path, "encode.codec=dac", "encode.dac_model=24khz"))
    assert "weights_24khz" in row(rows, "codec dac").hint


def needs_weights(codec: str, weights: Path) -> bool:
    try:
        return bool(CODECS[codec].files(str(weights), None))
    except WeightsError:
        return True


def test_weights_at_the_wrong_place(tmp_path: Path) -> None:
    for codec in (name for name in CODECS if needs_weights(name, tmp_path / "gone")):
        sets = (f"encode.codec={codec}", f"encode.weights={tmp_path / 'gone'}")
        check = row(doctor_weights.codecs(setup(tmp_path, *sets)), f"codec {codec}")
        assert (check.status, check.value) == ("problem", "missing")
        assert "gone" in check.hint


def test_a_codec_without_files_needs_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(CODECS["embedded"], files=lambda _weights, _rate: [])
    monkeypatch.setattr(doctor_weights, "CODECS", {"embedded": plain})
    [check] = doctor_weights.codecs(setup(tmp_path, "encode.codec=embedded"))
    assert check.status == "ok"
    assert check.value.startswith("needs no weights, revision ")
    assert "licence of the published weights: MIT" in check.value


def test_given_weights_are_not_said_to_have_the_published_licence(tmp_path: Path) -> None:
    folder = save_mimi(tmp_path / "mimi")
    sets = "encode.codec=mimi", f"encode.weights={folder}"
    check = row(doctor_weights.codecs(setup(tmp_path, *sets)), "codec mimi")
    assert "licence: not known (the published weights' is CC BY 4.0)" in check.value
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    check = row(doctor_weights.codecs(setup(tmp_path, *sets)), "codec mimi")
    assert "licence: mit (by its README.md)" in check.value


def test_whisper_is_needed_where_a_recording_has_no_text(
    tmp_path: Path, voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert setup(tmp_path).hears is None
    assert setup(tmp_path, "transcribe.transcripts=ignore").hears is True
    assert setup(tmp_path, "transcribe.transcripts=require").hears is False
    mixed = tmp_path / "voices" / "anna"
    mixed.mkdir(parents=True)
    for name, clip in (("told", "alder_01"), ("untold", "alder_02")):
        (mixed / f"{name}.wav").write_bytes((voices / f"en/alder/{clip}.wav").read_bytes())
    (mixed / "told.txt").write_text("The old lighthouse keeper.\n")
    assert prep("transcribe", mixed.parent, "--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet") == 3
    assert setup(tmp_path).hears is True
    check = row(doctor_weights.hearing(setup(tmp_path)), "whisper")
    assert check.status == "problem"
    assert "transcribe.model=FOLDER" in check.hint
    (mixed / "untold.wav").unlink()
    assert prep("transcribe", mixed.parent, "--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet") == 0
    assert setup(tmp_path).hears is False
    assert row(doctor_weights.hearing(setup(tmp_path)), "whisper").status == "note"


def test_both_voice_activity_detectors_lie_in_their_packages(tmp_path: Path) -> None:
    rows = doctor_weights.hearing(setup(tmp_path, "transcribe.transcripts=ignore"))
    assert row(rows, "vad pyannote").status == row(rows, "vad silero").status == "ok"


def test_aligners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [{"en": "wav2vec2.pth"}, {"ja": "someone/wav2vec2-japanese"}]
    monkeypatch.setattr(doctor_weights, "probe", lambda script: (tables, ""))
    check = row(doctor_weights.aligners(setup(tmp_path)), "aligners")
    assert (check.status, check.value) == ("note", "at hand: none; missing: en, ja")
    (tmp_path / "empty/hub/checkpoints").mkdir(parents=True)
    (tmp_path / "empty/hub/checkpoints/wav2vec2.pth").touch()
    check = row(doctor_weights.aligners(setup(tmp_path, "transcribe.language=en")), "aligners")
    assert check.status == "ok"
    assert "wav2vec2.pth" in check.value
    chosen = (f"transcribe.align_models={{de: {tmp_path / 'none'}}}", "transcribe.transcripts=ignore")
    check = row(doctor_weights.aligners(setup(tmp_path, *chosen)), "aligners")
    assert check.status == "problem"
    assert "transcribe.align_models.de=FOLDER" in check.hint
    monkeypatch.setattr(doctor_weights, "probe", lambda script: (None, "OSError: broken"))
    [check] = doctor_weights.aligners(setup(tmp_path, "transcribe.transcripts=ignore"))
    assert (check.name, check.status, check.value) == ("import whisperx", "problem", "OSError: broken")


def test_what_whisperx_would_align_with_is_read_from_it(tmp_path: Path) -> None:
    check = row(doctor_weights.aligners(setup(tmp_path, "transcribe.languages={anna: en, ken: ja}")), "aligners")
    assert check.value == "at hand: none; missing: en, ja"


def test_a_broken_installation_is_told_and_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "probe", lambda script: (None, "OSError: Could not load this library"))
    monkeypatch.setattr(doctor.metadata, "version", _nothing_installed)
    found = doctor.examine(setup(tmp_path, "transcribe.transcripts=require", scheduler="sync"))
    assert doctor.result(found)["exit_code"] == 1
    assert row(found, "import torchaudio").status == "problem"
    assert row(found, "torch").status == "problem"
    assert row(found, "descript-audio-codec").status == "note"
    assert row(found, "espeak-ng").status == "problem"
    assert all(check.hint for check in found if check.status == "problem")
    spared = doctor.examine(setup(tmp_path, "transcribe.transcripts=require", EMBEDDED[1], scheduler="sync"))
    assert row(spared, "import torchaudio").status == "note"


def _nothing_installed(name: str) -> str:
    raise doctor.metadata.PackageNotFoundError(name)


def test_a_version_outside_of_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.metadata.version
    monkeypatch.setattr(doctor, "CHECKS", doctor.CHECKS[:1])
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "0.1" if name == "soundfile" else real(name))
    [check] = [one for one in doctor.examine(setup(tmp_path)) if one.name == "soundfile"]
    assert (check.status, check.value) == ("problem", "0.1")
    assert "0.13" in check.hint


def test_a_package_that_an_extra_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str, real: Callable[[str], str] = doctor.metadata.version) -> str:
        if name in {"pocketsphinx", "faiss-cpu", "onnxruntime", "pyopenjtalk-plus", "soxr"}:
            raise doctor.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    wanted = (
        "transcribe.times=pocketsphinx",
        "similar.approximate_above=1000",
        "slice.dnsmos=x.onnx",
        "g2p.japanese=openjtalk",
    )
    rows = doctor._packages(setup(tmp_path, *wanted))
    extras = {"pocketsphinx": "dev,align", "faiss-cpu": "dev,faiss", "onnxruntime": "dev,eval"}
    extras["pyopenjtalk-plus"] = "dev,openjtalk"
    for name, extra in extras.items():
        assert row(rows, name) == Check(name, "packages", "problem", "missing", f"Run `make setup EXTRAS={extra}`.")
    assert row(rows, "soxr").hint == "Run `make setup`."
    assert not {*extras} & {check.name for check in doctor._packages(setup(tmp_path))}


def test_a_probe_that_fails_hangs_or_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe("print('noise'); print([1, 2])") == ([1, 2], "")
    assert probe("import nothing_of_this_name") == (
        None,
        "ModuleNotFoundError: No module named 'nothing_of_this_name'",
    )
    assert probe("import os; os._exit(7)") == (None, "its process ended with 7")
    monkeypatch.setattr(doctor_checks, "_PROBE_S", 0.2)
    assert "TimeoutExpired" in probe("import time; time.sleep(60)")[1]


def test_a_device_that_isn_t_there() -> None:
    import torch

    check = doctor_machine.cuda("cuda:99")[-1]
    assert (check.name, check.status) == ("cuda:99", "problem")
    assert "--device cpu" in check.hint
    assert {check.status for check in doctor_machine.cuda("cpu")} == {"ok"}
    assert len(doctor_machine.cuda("cpu")) == max(1, torch.cuda.device_count())


def test_a_folder_that_can_t_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = doctor_machine.disk(tmp_path / "not" / "yet", write=True)
    assert [check.status for check in rows] == ["ok", "ok"]
    assert str(tmp_path) in rows[0].value
    [check] = doctor_machine.disk(Path("/proc/self/dataset"), write=True)[1:]
    assert check.status == "problem"
    assert "--out" in check.hint

    def refuse(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    [check] = doctor_machine.disk(tmp_path, write=True)[1:]
    assert check.status == "problem"
    assert "locking" in check.value
    assert row(doctor_machine.disk(tmp_path, write=False), "writing").status == "note"


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((1 << 20, "problem"), (1 << 31, "note"), (1 << 40, "ok")):
        monkeypatch.setattr(
            doctor_machine.shutil, "disk_usage", lambda path, free=free: type("Usage", (), {"free": free})
        )
        assert doctor_machine.disk(tmp_path, write=False)[0].status == status


def test_few_open_files_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (600, 4096))
    [check] = doctor_machine.open_files("local", 8)
    assert check.status == "note"
    assert "ulimit -n 1024" in check.hint
    assert doctor_machine.open_files("sync", 8)[0].status == "ok"


def test_schedulers(tmp_path: Path) -> None:
    assert doctor_machine.scheduler("sync", jobs=None, device="cpu")[0].status == "ok"
    assert "3 workers" in doctor_machine.scheduler("local", jobs=3, device="cpu")[0].value
    [check] = doctor_machine.scheduler("locl", jobs=None, device="cpu")
    assert check.status == "problem"
    assert "`local`" in check.value


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cluster_that_is_there_is_asked(workers: int) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=3,
        processes=False,
        protocol="tcp",
        dashboard_address=":0",
        host="127.0.0.1",
    ) as cluster:
        [check] = doctor_machine.scheduler(cluster.scheduler_address, jobs=None, device="cpu")
    assert check.status == ("ok" if workers else "problem")
    assert f"{workers} workers, {3 * workers} threads" in check.value
    if not workers:
        assert "dask worker" in check.hint


def test_a_cluster_that_isn_t_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cluster.start._CONNECT_S", 1)
    [check] = doctor_machine.scheduler("tcp://127.0.0.1:9", jobs=None, device="cpu")
    assert check.status == "problem"
    assert "tcp://127.0.0.1:9" in check.value


def test_every_cleaner_has_its_row_with_its_licence(tmp_path: Path) -> None:
    rows = doctor_weights.cleaners(setup(tmp_path, "clean.cleaner=demucs"))
    assert [check.name for check in rows] == [f"cleaner {name}" for name in CLEANERS]
    missing = row(rows, "cleaner demucs")
    assert (missing.status, "hdemucs_high_trained.pt" in missing.hint) == ("problem", True)
    for check in rows:
        assert check.status in {"ok", "note"} or check is missing
        assert check.status != "ok" or "licence: " in check.value
    weights = tmp_path / "any.pt"
    weights.write_bytes(b"any")
    configured = doctor_weights.cleaners(setup(tmp_path, "clean.cleaner=demucs", f"clean.weights={weights}"))
    assert row(configured, "cleaner demucs").value.endswith(", configured")
