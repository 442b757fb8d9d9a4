"""The licence of a codec's weights: of published ones the table's, of given ones what their model card says."""

from dataclasses import replace
from pathlib import Path

import pytest

from stages.artefacts.manifest import NOT_KNOWN
from stages.codecs.table import CODECS, codec_identity
from stages.codecs.weights import licence_of
from tests.stages.genuine_codecs import save_neucodec

NEUCODEC = CODECS["neucodec"]


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CODECS:
        monkeypatch.delenv(f"VALLE_{name.upper()}_WEIGHTS", raising=False)


@pytest.mark.parametrize("name", CODECS)
def test_published_weights_have_the_licence_of_the_table(name: str) -> None:
    assert licence_of(CODECS[name], None, "0" * 16) == CODECS[name].licence != ""


def test_a_row_without_a_licence_has_none_to_tell() -> None:
    assert licence_of(replace(NEUCODEC, licence=""), None, "0" * 16) == NOT_KNOWN


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (None, NOT_KNOWN),
        ("---\nlicense: apache-2.0\ntags: [audio]\n---\n# Model\n", "apache-2.0 (by its README.md)"),
        ("---\nlicense: other\nlicense_name: house-rules\n---\n", "house-rules (by its README.md)"),
        ("---\nlicense: other\n---\n", NOT_KNOWN),
        ("---\nlicense: [mit, apache-2.0]\n---\n", NOT_KNOWN),
        ("---\n- mit\n---\n", NOT_KNOWN),
        ("---\nlicense: [\n---\n", NOT_KNOWN),
        ("---\nlicense: mit\n", NOT_KNOWN),
        ("# Model\n---\nlicense: mit\n---\n", NOT_KNOWN),
        ("", NOT_KNOWN),
        (b"---\nlicense: \xff\n---\n", NOT_KNOWN),
    ],
)
def test_given_weights_have_the_licence_of_their_card(
    tmp_path: Path, card: str | bytes | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if card is not None:
        (tmp_path / "README.md").write_bytes(card.encode() if isinstance(card, str) else card)
    assert licence_of(NEUCODEC, tmp_path, "0" * 16) == told
    monkeypatch.setenv("VALLE_NEUCODEC_WEIGHTS", str(tmp_path))
    assert licence_of(NEUCODEC, None, "0" * 16) == told


def test_weights_in_the_hubs_cache_are_the_published_ones_however_they_are_named(tmp_path: Path) -> None:
    for repository, told in (("neuphonic--neucodec", "Apache 2.0"), ("somebody--neucodec", NOT_KNOWN)):
        folder = tmp_path / f"models--{repository}" / "snapshots" / "0123"
        folder.mkdir(parents=True)
        link = tmp_path / repository
        link.symlink_to(folder)
        assert licence_of(NEUCODEC, folder, "0" * 16) == licence_of(NEUCODEC, link, "0" * 16) == told


def test_encodecs_published_file_is_known_by_its_content(tmp_path: Path) -> None:
    given = tmp_path / "renamed.th"
    assert licence_of(CODECS["encodec"], given, "d7cc33bcf1aad7f2") == "CC BY-NC 4.0"
    assert licence_of(CODECS["encodec"], given, "d7cc33b0f1aad7f2") == NOT_KNOWN


def test_the_identity_tells_the_licence_and_does_not_depend_on_it(tmp_path: Path) -> None:
    folder = save_neucodec(tmp_path / "model")
    identity = codec_identity("neucodec", folder)
    assert identity.licence == NOT_KNOWN
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    other = codec_identity("neucodec", folder)
    assert other.licence == "mit (by its README.md)"
    assert other == identity
    assert hash(other) == hash(identity)
    other.require(identity, "dataset")
