"""The page: what it says is what the dataset holds, nothing in a dataset can run in it, and a browser shows it."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.page import render
from pipeline.survey import LeftOut, Share, Survey, histogram
from pipeline.tally import Tally
from stages.store import open_store
from tests.pipeline.conftest import prep

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">'\"&lt;\u2028"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Elements(HTMLParser):
    """Every element with its attributes, and the text in those of a tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._inside] = self.texts.get(self._inside, "") + data


def data_of(page: str) -> dict[str, Any]:
    return json.loads(Elements(page).texts["data"])


@pytest.fixture(scope="module")
def hostile() -> str:
    """The page of a dataset in which every name and text is an attack."""
    codes = base64.b64encode(np.arange(150, dtype="<u2").tobytes()).decode()
    row = {"id": HOSTILE, "speaker": HOSTILE, "language": HOSTILE, "text": HOSTILE, "phonemes": HOSTILE, "seconds": 1.0}
    row |= {"values": {"seconds": 1.0, HOSTILE: 2.0}, "audio": "", "silent": HOSTILE, "neighbours": [[HOSTILE, 0.5]]}
    row |= {"wave": base64.b64encode(bytes(range(240))).decode(), "codes": codes, "codebooks": 2, "frames": 75}
    found = Survey("encode", HOSTILE, [Tally("slice", inputs=2, pieces=2, outputs=1)])
    found.languages[HOSTILE] = found.speakers[HOSTILE] = Share(1.0, 1, {HOSTILE})
    found.values["seconds"].append(1.0)
    found.values[HOSTILE].append(2.0)
    found.symbols[HOSTILE].update("<&'\"\n\u0303")
    example = {"id": HOSTILE, "message": HOSTILE, "hint": HOSTILE}
    found.left_out["slice", "filtered", HOSTILE] = LeftOut("slice", "filtered", HOSTILE, 1, [example])
    return render(found, [row], title=HOSTILE, codebook_size=1024)


def test_nothing_in_a_dataset_becomes_a_part_of_the_page(hostile: str) -> None:
    page = Elements(hostile)
    assert [tag for tag, _ in page.found].count("script") == 2
    assert "img" not in {tag for tag, _ in page.found}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert data_of(hostile)["utterances"][0]["text"] == HOSTILE
    outside = re.findall(
        r"(?:src|href)=\"(?!#)|url\(|@import|https?:", re.sub(r'<script type="app.*?</script>', "", hostile)
    )
    assert not outside, "it loads nothing from anywhere"


def test_it_shows_what_the_dataset_holds(copy: Path, voices: Path) -> None:
    assert prep("report", "--out", copy, "--embed", 2, "--utterances", 9, "--quiet") == 0
    page, store = (copy / "report.html").read_text(encoding="utf-8"), open_store(copy)
    shown = data_of(page)["utterances"]
    assert len(shown) == 9
    rows = {uid: row for row, uid in enumerate(store.ids)}
    for one in shown:
        row = store.row(rows[one["id"]])
        assert (one["text"], one["phonemes"], one["language"]) == (row.text, row.phonemes, row.language)
        codes_KT = np.frombuffer(base64.b64decode(one["codes"]), "<u2").reshape(one["codebooks"], one["frames"])
        np.testing.assert_array_equal(codes_KT, store.codes(rows[row.id]))
        assert [uid for uid, _ in one["neighbours"]] == [store.ids[n] for n in store.similar(rows[row.id])]
    embedded = [one["audio"].startswith("data:audio/flac;base64,") for one in shown]
    assert embedded == [True] * 2 + [False] * 7
    beside, row = copy / shown[2]["audio"], store.row(rows[shown[2]["id"]])
    expected, _ = soundfile.read(voices / row.recording, dtype="float32")
    heard, rate = soundfile.read(beside, dtype="float32")
    assert rate == row.sample_rate
    np.testing.assert_allclose(heard, expected[row.start_samples : row.end_samples], atol=1 / 2**14)
    assert len(list((copy / "report.audio").iterdir())) == 7
    assert prep("report", "--out", copy, "--embed", 2, "--utterances", 9, "--quiet") == 0
    assert (copy / "report.html").read_text(encoding="utf-8") == page, "the same dataset gives the same page"


def test_an_unfinished_dataset_and_lost_recordings_have_a_page_too(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("similar", "hdf5", "encode", "metadata"):
        shutil.rmtree(copy / stage)
    head = json.loads((copy / "dataset.json").read_text())
    Path(head["voices"]).rename(Path(head["voices"]).with_name("gone"))
    try:
        assert prep("report", "--out", copy, "--json") == 0
    finally:
        Path(head["voices"]).with_name("gone").rename(head["voices"])
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], told["shown"]) == (0, told["utterances"])
    [*shown] = data_of((copy / "report.html").read_text(encoding="utf-8"))["utterances"]
    assert {(one["audio"], one["codes"]) for one in shown} == {("", "")}
    assert "gone or has changed" in shown[0]["silent"]


def test_histograms_count_everything_on_round_edges() -> None:
    rng = np.random.default_rng(0)
    for values in ([2.0], [1.0, 1.0], rng.normal(7, 3, 1000).tolist(), [0.001, 1e6]):
        edges, counts = histogram(values)
        assert sum(counts) == len(values)
        assert len(edges) == len(counts) + 1 <= 40
        assert edges == sorted(set(edges))


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium to look at the page with (`apt-get install chromium`)")
    yield program


def test_a_browser_shows_it(browser: str, hostile: str, tmp_path: Path) -> None:
    """Whole, in both themes' colours, with an utterance open, and without a complaint."""
    (tmp_path / "page.html").write_text(hostile, encoding="utf-8")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
    options = [*quiet, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,2400", "--hide-scrollbars"]
    shot = tmp_path / "shot.png"
    seen = subprocess.run(
        [
            browser,
            "--headless",
            *options,
            "--enable-logging=stderr",
            "--dump-dom",
            f"--screenshot={shot}",
            "--virtual-time-budget=2000",
            f"file://{tmp_path}/page.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    shown = Elements(seen.stdout)
    assert shown.texts["title"].strip() == HOSTILE.strip(), "and not `taken`"
    assert "1 of 1 utterances" in seen.stdout
    tags = [tag for tag, _ in shown.found]
    assert tags.count("canvas") == 2
    assert tags.count("script") == 2
    assert shot.stat().st_size > 20_000, "an empty page is smaller"
