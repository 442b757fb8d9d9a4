"""The report's page: it matches the dataset, nothing in a dataset can run in it, and a browser shows it."""

import base64
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from pipeline.report.page import render
from pipeline.report.survey import LeftOut, Share, Survey, histogram
from pipeline.runner.tally import Tally
from stages.artefacts.manifest import read_sealed, write_sealed
from stages.audio import files as audio
from stages.records import Taken
from stages.store.reader import open_store
from tests.pipeline.chromium import Chromium
from tests.pipeline.conftest import prep

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">'\"&lt;\u2028"
TONE = audio.flac_of(np.sin(np.arange(32000, dtype=np.float32)) / 99, 8000)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Elements(HTMLParser):
    """Collects every element with its attributes, and the text by tag or id."""

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
    """The page of a dataset whose names and texts are all attacks."""
    codes = base64.b64encode(np.arange(150, dtype="<u2").tobytes()).decode()
    row = {"id": HOSTILE, "speaker": HOSTILE, "language": HOSTILE, "text": HOSTILE, "phonemes": HOSTILE, "seconds": 4.0}
    row |= {"values": {"seconds": 1.0, HOSTILE: 2.0}, "audio": "", "silent": HOSTILE, "neighbours": [[HOSTILE, 0.5]]}
    row |= {"wave": base64.b64encode(bytes(range(240))).decode(), "codes": codes, "codebooks": 2, "frames": 75}
    found = Survey("encode", HOSTILE, [Tally("slice", inputs=2, pieces=2, outputs=1)])
    found.languages[HOSTILE] = found.speakers[HOSTILE] = Share(1.0, 1, {HOSTILE})
    found.values["seconds"].append(1.0)
    found.values[HOSTILE].append(2.0)
    found.symbols[HOSTILE].update("<&'\"\n\u0303")
    example = {"id": HOSTILE, "message": HOSTILE, "hint": HOSTILE}
    found.left_out["slice", "filtered", HOSTILE] = LeftOut("slice", "filtered", HOSTILE, 1, [example])
    found.taken = [Taken("sounds", 1234, (HOSTILE, "[Music]"))]
    found.texts = {
        **{"different": 5678, "in_several_splits": 4321, "utterances": {"train": 2, HOSTILE: 1}},
        "examples": [{"text": HOSTILE, "splits": {"train": 2, HOSTILE: 1}}],
    }
    rows = [row, row | {"id": "embedded", "audio": "data:audio/flac;base64," + base64.b64encode(TONE).decode()}]
    rows += [row | {"id": uid, "audio": f"{uid}.flac", "text": "x" * 400} for uid in ("beside", "lost")]
    rows[1]["neighbours"], rows[2]["neighbours"] = [["beside", 0.9]], [["embedded", 0.9]]
    return render(found, rows, title=HOSTILE, codebook_size=1024)


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


def test_it_shows_what_was_taken_out_of_the_texts(hostile: str) -> None:
    page = Elements(hostile)
    assert ("section", {"id": "taken"}) in page.found
    assert "1,234" in page.texts["td"]
    assert "[Music]" in page.texts["td"]


def test_it_shows_texts_in_several_splits(hostile: str) -> None:
    page = Elements(hostile)
    assert ("section", {"id": "shared"}) in page.found
    assert "4,321 of 5,678 texts" in hostile


def test_it_shows_what_to_listen_to() -> None:
    found = Survey("slice", "", [Tally("slice", inputs=1, pieces=1, outputs=1)])
    found.languages["en"] = found.speakers["s"] = Share(1.0, 1, {"s"})
    found.doubt = "misheard"
    found.doubtful = [
        {"id": uid, "text": HOSTILE, "value": value, "heard": heard}
        for uid, value, heard in ((f"a/{HOSTILE}", 1.25, HOSTILE), ("lost", 0.5, None))
    ]
    row = {"id": f"a/{HOSTILE}", "speaker": "s", "language": "en", "text": HOSTILE, "values": {}, "heard": HOSTILE}
    page = Elements(render(found, [row], title="doubts", codebook_size=1))
    links = [attributes["href"] for tag, attributes in page.found if tag == "a" and "#u=" in str(attributes["href"])]
    assert links == ["#u=" + quote(f"a/{HOSTILE}", safe="")], "only what the page shows is linked"
    assert "character error rate against the sound" in page.texts["p"]
    assert ("section", {"id": "doubtful"}) in page.found
    assert "1.25" in page.texts["td"]
    assert "img" not in {tag for tag, _ in page.found}


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
    head = read_sealed(copy / "dataset.json")
    # The folder itself is shared with other tests.
    write_sealed(copy / "dataset.json", {**head, "voices": str(copy.with_name("gone"))})
    assert prep("report", "--out", copy, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], told["shown"]) == (0, told["utterances"])
    [*shown] = data_of((copy / "report.html").read_text(encoding="utf-8"))["utterances"]
    assert {(one["audio"], one["codes"]) for one in shown} == {("", "")}
    assert "gone or has changed" in shown[0]["silent"]


def test_a_dataset_that_left_everything_out_says_so_and_no_more() -> None:
    found = Survey("encode", "", [Tally("slice", inputs=1, pieces=1, filtered=Counter(TooShort=1))])
    found.left_out["slice", "filtered", "TooShort"] = LeftOut("slice", "filtered", "TooShort", 1)
    page = Elements(render(found, [], title="empty", codebook_size=1))
    sections = [attributes["id"] for tag, attributes in page.found if tag == "section"]
    assert sections == ["stages", "left-out", "utterances"]
    assert [attributes["href"] for tag, attributes in page.found if tag == "a"][1:] == [f"#{key}" for key in sections]


def test_histograms_count_everything_on_round_edges() -> None:
    rng = np.random.default_rng(0)
    for values in ([2.0], [1.0, 1.0], rng.normal(7, 3, 1000).tolist(), [0.001, 1e6]):
        edges, counts = histogram(values)
        assert sum(counts) == len(values)
        assert len(edges) == len(counts) + 1 <= 40
        assert edges == sorted(set(edges))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium to look at the page with (`apt-get install chromium`)")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(hostile: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile page with the audio of one utterance beside it; the audio of another is missing."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(hostile, encoding="utf-8")
    (folder / "beside.flac").write_bytes(TONE)
    return folder / "page.html"


SHOWN = "document.querySelector('#detail h3').textContent"
PLAYER = "document.querySelector('#detail audio')"


def test_a_browser_shows_it(chromium: Chromium, page: Path) -> None:
    """It shows the whole page with an utterance open, follows the system's theme, and logs no error."""
    chromium.open(page, width=1200, height=2400)
    shown = Elements(chromium.evaluate("document.documentElement.outerHTML"))
    assert shown.texts["title"].strip() == HOSTILE.strip(), "and not `taken`"
    assert shown.texts["count"].strip() == "4 of 4 utterances"
    tags = [tag for tag, _ in shown.found]
    assert tags.count("canvas") == 2
    assert tags.count("script") == 2
    assert len(chromium.picture()) > 20_000, "an empty page is smaller"
    wave = "document.querySelector('.wave').toDataURL()"
    light = chromium.evaluate(wave)
    chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    chromium.wait(f"{wave} !== {light!r}")
    chromium.call("Emulation.setEmulatedMedia", features=[])
    assert not chromium.complaints


def test_a_browser_plays_what_is_embedded_and_what_lies_beside(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=1200)
    assert chromium.evaluate(f"{PLAYER}") is None, "there is nothing to hear of the first"
    for uid in ("embedded", "beside"):
        chromium.press("j")
        assert chromium.evaluate(SHOWN) == uid
        chromium.press(" ")
        chromium.wait(f"{PLAYER}.currentTime > 0.1 || {PLAYER}.error")
        assert chromium.evaluate(f"[{PLAYER}.error, {PLAYER}.duration]") == [None, 4]
        chromium.wait("parseFloat(document.querySelector('.head').style.left) > 2")
        chromium.press(" ")
        assert chromium.evaluate(f"{PLAYER}.paused")
    assert not chromium.complaints
    chromium.press("j", " ")
    chromium.wait("document.querySelector('#complaint').textContent.includes('lost.flac')")


def test_a_browser_needs_no_mouse(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=1200)
    chromium.press("j")
    reached = []
    # Of the element with the focus: what it is, and whether both it and a line around it are seen.
    focus = """(() => {
      const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
      const y = Math.min(box.top + Math.min(box.height / 2, 20), innerHeight - 1);
      const ring = at.matches("audio") || (style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2);
      const over = document.elementFromPoint(box.left + box.width / 2, y);
      return [at.id || at.className || at.tagName, ring && at.contains(over)];
    })()"""
    chromium.evaluate("getSelection().setBaseAndExtent(document.body, 0, document.body, 0)")
    for _ in range(99):
        chromium.press("Tab")
        name, seen = chromium.evaluate(focus)
        if name == "BODY":
            break
        assert seen, f"{name} has the focus, and that isn't seen"
        if "scroll" not in name.split():  # Chromium's newer versions reach what scrolls, too
            reached.append(name)
    else:
        pytest.fail("the page's end is never reached")
    sections = ["A"] * 9
    choice = ["search", "language", "speaker", "order", "list"]
    player = ["AUDIO"] * reached.count("AUDIO")
    neighbours = ["BUTTON", "A"]
    assert player
    assert reached == ["skip", *sections, "theme", "keys", "SUMMARY", *choice, *player, "picture", *neighbours]
    for keys, shown in {
        ("/", *"beside", "Enter"): "beside",
        ("Home",): "beside",
        ("/", *["Backspace"] * 6, "Escape", "Home"): HOSTILE.strip(),
        ("End",): "lost",
        ("ArrowUp",): "beside",
        ("1",): "embedded",
        ("b",): "beside",
    }.items():
        chromium.press(*keys)
        assert chromium.evaluate(SHOWN).strip() == shown, keys
    chromium.evaluate("document.querySelector('.neighbours a').focus()")
    chromium.press("Enter")
    chromium.wait(f"{SHOWN} === 'embedded'")
    assert chromium.evaluate("document.activeElement.id") == "detail", "and not at the top of the page again"
    chromium.evaluate("document.querySelector('.picture').focus()")
    chromium.press("ArrowRight", "ArrowRight")
    assert chromium.evaluate("document.querySelector('.reading').textContent") == "0.13 s · frame 2: 2 77"
    chromium.press("?", "Escape")
    assert chromium.evaluate("document.activeElement.className") == "picture"
    assert not chromium.complaints


@pytest.mark.parametrize("width", [390, 320])
def test_a_narrow_window_scrolls_down_alone(chromium: Chromium, page: Path, width: int) -> None:
    chromium.open(page, width=width)
    chromium.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for _ in range(4):
        assert chromium.evaluate("document.documentElement.scrollWidth") == width
        chromium.press("j")
    assert chromium.evaluate("document.querySelector('.examples td').offsetWidth") > width / 2, "an id can be read"
    assert chromium.evaluate("document.querySelector('nav').offsetHeight") > 0
