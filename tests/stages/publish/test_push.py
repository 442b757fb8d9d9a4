"""Tests uploading against a small hub on loopback, and what is told when it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.errors import MachineError, MissingInputError, UsageError, ValleError
from stages.publish.push import check_repo, listing, push
from tests.hub import Hub, reach, running


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running(monkeypatch) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "README.md").write_text("# Card\n")
    (tmp_path / "out" / "data" / "a.bin").write_bytes(bytes(range(256)))
    return tmp_path / "out"


def test_a_folder_arrives_whole_in_a_private_repository(hub: Hub, folder: Path) -> None:
    url = push(folder, "anna/voice", "dataset")
    assert url.endswith("anna/voice")
    assert hub.files["anna/voice"] == {"README.md": b"# Card\n", "data/a.bin": bytes(range(256))}
    assert {name: len(content) for name, content in hub.files["anna/voice"].items()} == dict(listing(folder))
    assert [(one["repo"], one["private"], one["type"]) for one in hub.made] == [("anna/voice", True, "dataset")]


def test_a_file_arrives_with_its_card(hub: Hub, folder: Path) -> None:
    file = folder / "data" / "a.bin"
    push(file, "anna/voice", "model", card="# Größe\n", public=True)
    assert hub.files["anna/voice"] == {"README.md": "# Größe\n".encode(), "a.bin": bytes(range(256))}
    assert {name: len(content) for name, content in hub.files["anna/voice"].items()} == dict(listing(file, "# Größe\n"))
    assert hub.made[0]["private"] is False


def test_it_goes_on_after_a_failure(hub: Hub, folder: Path) -> None:
    hub.status["commit"] = 400
    with pytest.raises(MachineError, match="Run the same command to go on"):
        push(folder, "anna/voice", "dataset")
    assert not hub.files["anna/voice"]
    hub.status.clear()
    push(folder, "anna/voice", "dataset")
    push(folder, "anna/voice", "dataset")
    assert len(hub.files["anna/voice"]) == 2


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, MissingInputError, "(401): the token is wrong, or may not write there. Log in with `hf auth login`"),
        (403, MissingInputError, "(403): the token is wrong, or may not write there"),
        (404, MissingInputError, "found no such repository or owner at"),
        (500, MachineError, "(500)"),
    ],
)
def test_what_the_hub_refuses_is_told_in_a_line(
    hub: Hub, folder: Path, status: int, kind: type[ValleError], told: str
) -> None:
    hub.status["create"] = status
    with pytest.raises(kind) as raised:
        push(folder, "anna/voice", "model")
    assert told in str(raised.value)
    assert "`--push anna/voice`" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_token_is_told(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(MissingInputError, match=r"\(401\): the token is wrong"):
        push(folder, "anna/voice", "model")


def test_no_network_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reach(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(MachineError) as raised:
        push(folder, "anna/voice", "model")
    assert "couldn't reach http://127.0.0.1:9" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_token_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reach(monkeypatch, "http://127.0.0.1:9", token="")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"needs a token of the hub, but there is none\. Log in with `hf auth login`"):
        push(folder, "anna/voice", "model")
    check_repo("anna/voice", needs_token=False)


@pytest.mark.parametrize("name", ["voice", "a/b/c", "anna/..", "", "anna/a b"])
def test_a_repository_has_an_owner_and_a_name(name: str) -> None:
    with pytest.raises(UsageError, match="must name a repository as OWNER/NAME, but is"):
        check_repo(name, needs_token=False)
