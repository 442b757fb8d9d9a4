"""A tiny model of all modes and some tasks, its page on loopback, and a browser without a window."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from model.serving.page.runs import Runs
from model.serving.server import Served, in_thread
from model.serving.settings import Settings
from model.training.trainer import train
from stages.codecs.table import codec_identity
from tests.conftest import Once
from tests.limits import HANG_S
from tests.model.conftest import make_config, make_store
from tests.model.serving.conftest import MODES
from tests.model.serving.test_guard import until

DRAWN_MS = 500
"""Gradio draws what is opened, and moments later sets its first values again and begins to listen to clicks."""
_SETTLED_MS = 200
"""How long a value must stay."""


@pytest.fixture(scope="session")
def gradio() -> Any:
    """The package, which only the tests that need it import."""
    return pytest.importorskip("gradio", reason="the page needs gradio: `make setup EXTRAS=dev,serve`")


@pytest.fixture(scope="session")
def trained(once: Once) -> Path:
    """A folder of one run, `able`, which was taught nothing but reported as if."""

    def write(folder: Path) -> None:
        store = make_store(codec=codec_identity("embedded"))
        store.mix("noisy", "shifted")
        values = {
            **{"data__modes": MODES, "data__tasks": dict.fromkeys(("tts", "ns", "cse", "vc"), 1.0)},
            **{"data__max_s": 2.0, "data__text_dropout": 0.5, "data__unconditional_probability": 0.1},
            **{"trainer__max_steps": 6, "trainer__log_every": 1, "trainer__validate_every": 3, "trainer__samples": 2},
        }
        train(make_config(trainer__out=str(folder / "able"), **values), store, quiet=True)

    return once("page-runs", write)


@pytest.fixture(scope="session")
def able(trained: Path) -> Synthesizer:
    return Synthesizer.load(trained / "able")


@dataclass
class Shown:
    """A page that is served."""

    url: str
    service: Service
    folder: Path
    """Where it keeps its files."""
    runs: Path


@contextmanager
def showing(
    synthesizer: Synthesizer,
    voices: Path | None,
    trained: Path,
    folder: Path,
    kind: type[Service] = Service,
    **values: Any,
) -> Iterator[Shown]:
    """Serves a page; `folder` gets its files, and a copy of the runs."""
    pytest.importorskip("gradio", reason="the page needs gradio: `make setup EXTRAS=dev,serve`")
    from model.serving.page.app import create_page

    runs, files = folder / "runs", folder / "files"
    files.mkdir()
    shutil.copytree(trained, runs)
    settings = Settings("able", voices=voices, port=0, **values)
    served = Served(lambda service, own: create_page(service, own, Runs(runs), files), "error", patience_s=1)
    with kind(synthesizer, capacity=settings.queue) as service, in_thread(service, settings, served) as url:
        yield Shown(url, service, files, runs)


@pytest.fixture(scope="module")
def shown(able: Synthesizer, voices: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with showing(able, voices, trained, tmp_path_factory.mktemp("page"), max_upload_mb=2.0) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; skips where there is none."""
    sync = pytest.importorskip("playwright.sync_api", reason="no playwright: `make setup EXTRAS=dev`")
    names = "chromium", "chromium-browser", "google-chrome"
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium: `apt-get install chromium` to run this test")
    sound = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", *sound])
        yield browser
        browser.close()


class Tab:
    """A page in a browser, and all that it asked for."""

    def __init__(self, browser: Any, url: str, *, width: int = 1280, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * HANG_S)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda told: self.problems.append(told.text) if told.type == "error" else None)
        self.page.goto(url)
        self.page.wait_for_selector("#speak-go")
        self.page.wait_for_timeout(DRAWN_MS)

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def open(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()
        self.page.wait_for_timeout(DRAWN_MS)

    def unfold(self, name: str) -> None:
        self.page.get_by_role("button", name=name).locator("visible=true").click()
        self.page.wait_for_timeout(DRAWN_MS)

    def number(self, label: str) -> Any:
        field = self.page.locator(f"label:has([data-testid=block-info]:text-is('{label}'))")
        return field.locator("input, textarea").locator("visible=true")

    def fill(self, field: Any, value: str) -> None:
        """Fills a field until it stays so."""

        def stays() -> bool:
            field.fill(value)
            self.page.wait_for_timeout(_SETTLED_MS)
            return bool(field.input_value() == value)

        until(stays)

    def choose(self, selector: str, option: str) -> None:
        self.page.locator(f"{selector} input").click()
        self.page.get_by_role("option", name=option).click()
        self.page.wait_for_timeout(_SETTLED_MS)

    def made(self, name: str) -> bytes:
        """Waits for a result that differs from the one before; returns its file."""
        link = self.page.locator(f"#{name}-audio a[download]")
        link.wait_for()
        return bytes(self.context.request.get(link.get_attribute("href")).body())

    def told(self) -> str:
        """Waits for a message, and closes it."""
        toast = self.page.locator(".toast-body")
        toast.first.wait_for()
        words = toast.first.inner_text()
        self.page.locator(".toast-close").first.click()
        toast.first.wait_for(state="detached")
        return str(words)


@pytest.fixture
def tab(chromium: Any, shown: Shown) -> Iterator[Tab]:
    with Tab(chromium, shown.url) as found:
        yield found
        assert not found.problems
        elsewhere = [url for url in found.asked if not url.startswith((shown.url, "data:", "blob:"))]
        assert not elsewhere, "the page must work without the internet"
