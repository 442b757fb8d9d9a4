"""Short texts take the language of what else their speaker, or the group, says."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.records import Segment, Transcript
from stages.transcripts.languages import in_language, read_languages, told_or_guessed, write_languages
from stages.transcripts.script import Script

DE = "Heute ist das Wetter schön, und wir gehen im Park spazieren."
EN = "Today the weather is fine, and we go for a walk in the park."
JA = "今日は天気がいいので、公園を散歩しましょう。"
RU = "Сегодня хорошая погода, и мы идём гулять в парк."
Row = tuple[str, str, str]
"""Speaker, language, text; a language with `?` is guessed."""


def decided(folder: Path, *shards: list[Row]) -> tuple[dict[str, str], list[str]]:
    """Returns the languages that change by id, which is speaker, shard and place; and the lines for the log."""
    folder.mkdir(exist_ok=True)
    names = []
    for number, rows in enumerate(shards):
        names.append(f"{number:03d}")
        lines = []
        for place, (who, code, text) in enumerate(rows):
            group, _, speaker = who.rpartition("/")
            row = {"id": f"{who}/{number}{place}", "group": group, "speaker": speaker, "language": code.strip("?")}
            lines.append(row | {"segments": [{"text": text}]} | ({"guessed": True} if "?" in code else {}))
        (folder / f"{names[-1]}.rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    told = write_languages(folder, names)
    return read_languages(folder), told


def test_they_are_counted_over_the_shards(tmp_path: Path) -> None:
    found, lines = decided(
        tmp_path,
        [("anna", "it?", "Hallo Anna."), ("anna", "de", DE), ("eva", "en?", "Help me.")],
        [("anna", "de?", "Danke schön."), ("anna", "sv?", "Ja, klar."), ("eva", "en", EN)],
    )
    assert found == {"anna/00": "de", "anna/11": "de"}
    assert [line.split(". ")[0] for line in lines] == [
        "2 short texts take the language of their speaker's or group's longer ones, not the one that their few words"
        " look like: `anna/00` (de, not it), `anna/11` (de, not sv)"
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([("a", "it?", "Hallo Anna.")], None, id="nothing else is said"),
        pytest.param([("a", "it?", "Hallo Anna."), ("a", "de?", "Na ja.")], None, id="nothing long is said"),
        pytest.param(
            [("a", "it?", "Hallo Anna."), ("a", "de", "Wir gehen heute im Park spazieren.")], None, id="seven"
        ),
        pytest.param([("a", "it?", "Hallo Anna."), ("b", "de", DE)], "de", id="another speaker of the group"),
        pytest.param([("g/a", "it?", "Hallo Anna."), ("h/a", "de", DE)], None, id="a speaker of another group"),
        pytest.param([("g/a", "it?", "Hallo Anna."), ("g/b", "de", DE)], "de", id="the group"),
        pytest.param([("a", "it?", "Hallo Anna."), ("b", "de", DE), ("c", "en", EN)], "de", id="the group's two"),
        pytest.param([("a", "it?", "Hallo Anna."), ("a", "de", DE), ("b", "it", DE * 9)], "de", id="the speaker first"),
        pytest.param(
            [("a", "de?", "Thank you, it is fine."), ("a", "de", DE), ("a", "en", EN)],
            "en",
            id="one of the speaker's two",
        ),
        pytest.param([("a", "en?", "Na ja."), ("a", "de", DE * 9), ("a", "en", EN)], "de", id="a ninth is too little"),
        pytest.param([("a", "en?", "OK, Google."), ("a", "ru", RU)], None, id="other letters"),
        pytest.param(
            [("a", "uk?", "Да, конечно."), ("a", "de", DE), ("a", "ru", RU)], "ru", id="the one of the letters"
        ),
        pytest.param([("a", "zh?", "東京"), ("a", "ja", JA)], "ja", id="Han letters of a Japanese speaker"),
        pytest.param(
            [("a", "zh?", "東京"), ("a", "ja", "公園を散歩しましょう。")], "ja", id="kana tell in a short text"
        ),
        pytest.param([("a", "de?", "Na ja."), ("a", "de", DE)], None, id="as guessed"),
        pytest.param([("a", "it", "Hallo Anna."), ("a", "de", DE)], None, id="told, not guessed"),
    ],
)
def test_what_else_is_said_decides(tmp_path: Path, rows: list[Row], expected: str | None) -> None:
    found, _ = decided(tmp_path, rows)
    assert found == ({f"{rows[0][0]}/00": expected} if expected else {})


ROWS = st.tuples(
    st.sampled_from(["g/a", "g/b", "h/a"]),
    st.sampled_from(["de", "en", "it?", "sv?", "ru?"]),
    st.sampled_from([DE, EN, RU, "Hallo Anna.", "Help me.", "Да."]),
)


@given(rows=st.lists(ROWS, max_size=12), cut=st.integers(0, 12))
def test_shards_do_not_matter(tmp_path_factory: pytest.TempPathFactory, rows: list[Row], cut: int) -> None:
    folder = tmp_path_factory.mktemp("rows")

    def by_place(shards: list[list[Row]]) -> dict[int, str]:
        places = [f"{who}/{n}{i}" for n, shard in enumerate(shards) for i, (who, _, _) in enumerate(shard)]
        return {places.index(item): code for item, code in decided(folder, *shards)[0].items()}

    assert by_place([rows]) == by_place([rows[:cut], rows[cut:]])


def test_those_that_nothing_tells_are_named(tmp_path: Path) -> None:
    found, [line] = decided(tmp_path, [("a", "en?", "six"), ("b", "it?", "otto"), ("a", "en?", "two")])
    assert found == {}
    assert line.startswith(
        "3 short texts have nothing but themselves to tell their language: 2 en (`a/00`), 1 it (`b/01`)."
    )


def test_only_some_are_shown(tmp_path: Path) -> None:
    _, [line] = decided(tmp_path, [("anna", "de", DE), *[("anna", "pl?", "Na ja.")] * 9])
    assert line.startswith("9 short texts take")
    assert line.count("`anna/") == 5


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("Hallo Anna.", {}, ("it", True)),
        ("Hallo Anna.", {"mapped": "de"}, ("de", False)),
        ("Hallo Anna.", {"candidates": ["de"]}, ("de", False)),
        ("Hallo Anna.", {"candidates": ["de", "en"]}, ("de", True)),
        ("Hallo Anna.", {"language": "German"}, ("de", False)),
        ("Hallo Anna.", {"segment": "de"}, ("it", False)),  # the segment's own counts where it is said
        (DE, {}, ("de", False)),
        ("東京", {}, ("zh", True)),
        ("東京タワー", {}, ("ja", False)),
        ("안녕하세요", {}, ("ko", False)),
        ("<unk> Hallo", {}, ("de", True)),
    ],
)
def test_what_is_told_is_no_guess(text: str, settings: dict, expected: tuple[str, bool]) -> None:
    segment = Segment(0, 100, text, settings.get("segment", ""))
    script = Script(settings.get("language", ""), (segment,), timed=False)
    assert told_or_guessed(script, settings.get("mapped"), settings.get("candidates", ())) == expected


def test_a_transcript_takes_its_language_with_its_segments() -> None:
    segments = (Segment(0, 9, "Hallo", "it"), Segment(9, 18, "Anna.", "it"))
    row = Transcript("a.wav", "", "a", 100, 18, "it", "txt", True, segments, guessed=True)
    changed = in_language(row, "de")
    assert {changed.language, *(segment.language for segment in changed.segments)} == {"de"}
    assert in_language(row, None) == row
