"""A store on loopback, with a cache, waits and connections of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.remote import errors, files, stores
from tests.stages.remote.server import Served, serving

SECRET = "very-s3cret-key"


def forget() -> None:
    """Lets go of what this process keeps of stores, as if it were another."""
    import fsspec

    stores._store.cache_clear()
    files._cache.cache_clear()
    files._attached.clear()
    for name in ("s3", "http"):
        if (kind := fsspec.registry.get(name)) is not None:
            kind.clear_instance_cache()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "VALLE_CACHE": tmp_path / "cache",
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": tmp_path / "none",
        "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "none",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(errors, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(errors, "TRIES", 4)
    forget()
    yield
    forget()


@pytest.fixture
def s3(alone: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    pytest.importorskip("s3fs")
    with serving() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


@pytest.fixture
def web(alone: None) -> Iterator[Served]:
    pytest.importorskip("aiohttp")
    with serving("http") as served:
        yield served
