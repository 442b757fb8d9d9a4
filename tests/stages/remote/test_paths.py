"""Paths in a store read like those of a disk."""

import os
import pickle
from pathlib import Path

import pytest

from stages.errors import UsageError
from stages.remote.paths import path_from
from stages.remote.stores import is_url, split


def test_paths() -> None:
    path = path_from("s3://bucket/a b/c#d?e%20f/")
    assert str(path) == os.fspath(path) == f"{path}" == "s3://bucket/a b/c#d?e%20f"
    assert str(path / "x.wav") == "s3://bucket/a b/c#d?e%20f/x.wav"
    assert str((path / "x.wav").with_suffix(".txt").parent) == str(path)
    assert (path / "x.wav").name == "x.wav"
    assert path.resolve() == path.absolute() == path.expanduser() == path
    assert str(pickle.loads(pickle.dumps(path)) / "y") == f"{path}/y"
    assert path_from("s3://bucket").name == "bucket"
    assert is_url(path)
    with pytest.raises(PermissionError):
        path.open("wb")


def test_steps_in_a_path_lead_where_they_would_on_a_disk() -> None:
    assert split("s3://b/v/lj/../wavs/./x.wav") == ("s3", "b/v/wavs/x.wav")
    assert split("s3://b/v/.hidden/..a/x..wav") == ("s3", "b/v/.hidden/..a/x..wav")


@pytest.mark.parametrize("text", ["voices", "/a/b", "./s3:/x", "file:///a/b", "local:///a/b"])
def test_paths_of_a_disk(text: str) -> None:
    path = path_from(text)
    assert not is_url(path)
    assert path == Path(text.removeprefix("file://").removeprefix("local://"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://me:secret@host/a", "no user and no password"),
        ("s3://AKID:secret@bucket/a", "no user and no password"),
        ("https://host/a?X-Amz-Signature=secret", "no query"),
        ("s3://bucket/a/../b", "without `.`"),
        ("s3://", "must name a folder"),
        ("s3://bucket//a", "must name a folder"),
        ("simplecache::s3://bucket/a", "chains several"),
    ],
)
def test_urls_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        path_from(text)
    assert "secret" not in str(refused.value)
