"""Files that are heard while they grow."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from model.serving.page.live import Lives
from stages.audio.uploads import decode


async def collected(live) -> bytes:
    return b"".join([piece async for piece in live.read()])


def outside(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Runs it in a thread of its own: a browser of other tests may have left an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def test_readers_get_all_of_it_whenever_they_come() -> None:
    wave = np.linspace(-0.5, 0.5, 2400, dtype=np.float32)

    async def run() -> list[bytes]:
        live = Lives().begin(24_000)
        early = asyncio.ensure_future(collected(live))
        await asyncio.sleep(0)
        for start in range(0, 2400, 600):
            live.add(wave[start : start + 600])
            await asyncio.sleep(0)
        assert not early.done()
        late = asyncio.ensure_future(collected(live))
        live.end()
        live.end()
        return [await early, await late, await collected(live)]

    files = outside(run)
    assert len(set(files)) == 1
    found, rate = decode(files[0], name="it", max_s=1)
    assert rate == 24_000
    assert np.abs(found - wave).max() < 1e-4


def test_a_file_is_found_by_its_secret_name_for_a_while(monkeypatch) -> None:
    async def run() -> None:
        lives = Lives()
        first, second = lives.begin(24_000), lives.begin(24_000)
        assert lives.find(first.token) is first
        assert lives.find("other") is None
        assert len(first.token) > 20
        first.end()
        now = time.monotonic()
        monkeypatch.setattr("model.serving.page.live.time.monotonic", lambda: now + 1000)
        lives.begin(24_000)
        assert lives.find(first.token) is None
        assert lives.find(second.token) is second, "it is being made"

    outside(run)
