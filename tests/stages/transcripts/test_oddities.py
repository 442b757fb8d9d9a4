"""Short texts in another language than their speaker's are named."""

import json
from pathlib import Path

import pytest

from stages.transcripts.oddities import odd_languages

LONG = "Heute ist das Wetter schön, und wir gehen im Park spazieren."
Row = tuple[str, str, str]
"""Speaker, language, text."""


def said(folder: Path, *shards: list[Row]) -> str:
    names = []
    for number, rows in enumerate(shards):
        names.append(f"{number:03d}")
        lines = [
            {
                "id": f"{who}/{number}{place}",
                "group": "g",
                "speaker": who,
                "language": code,
                "segments": [{"text": text}],
            }
            for place, (who, code, text) in enumerate(rows)
        ]
        (folder / f"{names[-1]}.rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return odd_languages(folder, names)


def test_they_are_counted_over_the_shards(tmp_path: Path) -> None:
    line = said(
        tmp_path,
        [("anna", "it", "Hallo Anna."), ("anna", "de", LONG), ("eva", "en", "Help me.")],
        [("anna", "de", "Danke schön."), ("anna", "sv", "Ja, klar."), ("eva", "en", LONG)],
    )
    assert line.startswith(
        "2 short texts are in another language than most of their speaker's: `anna/00` (it, not de),"
        " `anna/11` (sv, not de). So few words"
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("anna", "de", LONG), ("anna", "de", "Na ja.")],
        [("anna", "de", LONG), ("anna", "en", LONG)],  # says both, at length
        [("anna", "de", "Ja, klar."), ("anna", "sv", "Ja, klar.")],  # nothing tells which is right
        [("anna", "de", LONG), ("eva", "it", "Hallo Anna.")],  # each speaker by itself
        [("anna", "de", LONG + LONG), ("anna", "zh", "我们今天去公园散步" * 4)],  # long, without a space
    ],
)
def test_what_isnt_odd_isnt_named(tmp_path: Path, rows: list[Row]) -> None:
    assert said(tmp_path, rows) == ""


def test_only_some_are_shown(tmp_path: Path) -> None:
    line = said(tmp_path, [("anna", "de", LONG), *[("anna", "pl", "Na ja.")] * 9])
    assert line.startswith("9 short texts are")
    assert line.count("`anna/") == 5
