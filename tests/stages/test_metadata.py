import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artefacts.manifest import METADATA, part_paths
from stages.base import Context
from stages.ids import split_of
from stages.metadata import SUMMARY, Metadata, MetadataConfig
from stages.records import Encoded, Utterance

ROW = Utterance("a.wav", "a.wav", "vctk", "p225", "en", 8_000, 40_000, 16_000, "Ask her.", "ˈæsk hɜː.", 150)


def stage(**config: object) -> Metadata:
    return Metadata(MetadataConfig(**config), Context(Path()))


def encoded(**changes: object) -> Encoded:
    row = replace(ROW, **changes)
    return Encoded(row, np.zeros((8, row.frames), np.uint16))


def finish(folder: Path, *shards: list[Encoded], **config: object) -> dict:
    names = [f"{n:05d}-of-00016" for n in range(len(shards))]
    made = stage(**config)
    for name, items in zip(names, shards, strict=True):
        rows = [row for [row] in made.process(items)]
        made.format.write(part_paths(folder, name, made.format.parts), rows)
    assert made.finish(folder, names) == [METADATA, SUMMARY]
    return json.loads((folder / SUMMARY).read_text())


def test_a_row_says_what_the_utterance_is(tmp_path: Path) -> None:
    import pandas as pd

    finish(tmp_path, [encoded()], [], [encoded(id="b.wav", language="de")])
    table = pd.read_parquet(tmp_path / METADATA)
    assert list(table.id) == ["a.wav", "b.wav"]
    first = table.iloc[0]
    assert (first.group, first.speaker, first.language, first.text) == ("vctk", "p225", "en", "Ask her.")
    assert (first.start_s, first.seconds, first.frames, first.split) == (0.5, 2.0, 150, "train")


def test_the_summary_adds_up(tmp_path: Path) -> None:
    rows = [encoded(), encoded(id="b", speaker="p226", end_samples=24_000), encoded(id="c", language="de")]
    summary = finish(tmp_path, rows)
    assert summary["utterances"] == 3
    assert summary["hours"] == pytest.approx(5 / 3600, abs=1e-6)
    assert summary["speakers"] == 2
    assert summary["by_speaker"]["vctk/p225"] == {"utterances": 2, "hours": pytest.approx(4 / 3600, abs=1e-6)}
    assert summary["by_language"].keys() == {"de", "en"}
    assert summary["symbols"]["s"] == 3
    assert "".join(sorted(summary["symbols"])) == "".join(sorted(set(ROW.phonemes)))
    for histogram in summary["histograms"].values():
        assert sum(histogram["counts"]) == 3
        assert len(histogram["counts"]) == len(histogram["edges"])


def test_an_empty_dataset_has_an_empty_table(tmp_path: Path) -> None:
    import pandas as pd

    assert finish(tmp_path, [])["utterances"] == 0
    assert pd.read_parquet(tmp_path / METADATA).empty


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        finish(tmp_path / name, [encoded(), encoded(id="b")])
    for file in (METADATA, SUMMARY):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_speaker_is_never_torn_apart() -> None:
    split = stage(split_by="speaker", validation=0.3, test=0.3)
    rows = [encoded(id=f"{n}", speaker=f"s{n % 50}") for n in range(200)]
    found = {(row.speaker, row.split) for [row] in split.process(rows)}
    assert len(found) == 50
    assert {name for _, name in found} == {"train", "validation", "test"}


def test_equal_texts_are_never_torn_apart() -> None:
    split = stage(split_by="text", validation=0.3, test=0.3)
    rows = [encoded(id=f"{n}", text=f"Text {n % 50}{'!' * (n % 3)}") for n in range(150)]
    found = {(row.text.strip("!"), row.split) for [row] in split.process(rows)}
    assert len(found) == 50
    assert {name for _, name in found} == {"train", "validation", "test"}


def test_texts_in_several_splits_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """40 texts, 5 times each in another spelling, in two shards; a fifth of the rows are for validation."""
    rows = [encoded(id=f"{n}", text=f"Say {n // 5}{'!' * (n % 5)}") for n in range(200)]
    texts = finish(tmp_path, rows[:100], rows[100:], validation=0.2)["texts"]
    splits = [row.split for [row] in stage(validation=0.2).process(rows)]
    torn = [n for n in range(40) if len(set(splits[5 * n : 5 * n + 5])) == 2]
    assert 10 < len(torn) < 40
    assert (texts["different"], texts["in_several_splits"]) == (40, len(torn))
    held = {name: sum(splits[5 * n : 5 * n + 5].count(name) for n in torn) for name in ("train", "validation")}
    assert texts["utterances"] == held
    assert len(texts["examples"]) == min(20, len(torn))
    for one in texts["examples"]:
        number = int(one["text"].strip("!").removeprefix("Say "))
        assert one["splits"] == {name: splits[5 * number : 5 * number + 5].count(name) for name in held}
    [line] = caplog.messages
    assert line.startswith(f"{len(torn)} of 40 texts stand in more than one split ({held['train']} of train, ")
    assert "`Say " in line
    assert "Set `metadata.split_by=text`" in line


@pytest.mark.parametrize("config", [{"split_by": "text", "validation": 0.3}, {"validation": 0.0}])
def test_no_text_in_several_splits_is_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, config: dict
) -> None:
    rows = [encoded(id=f"{n}", text=f"Text {n % 20}") for n in range(200)]
    texts = finish(tmp_path, rows, **config)["texts"]
    assert texts == {"different": 20, "in_several_splits": 0, "utterances": {}, "examples": []}
    assert not caplog.messages


@given(st.text(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_split_only_grows_with_its_share(key: str, validation: float, test: float) -> None:
    if split_of(key, validation, test) == "test":
        assert split_of(key, 0, 0.5) == "test"
    if split_of(key, validation) == "validation":
        assert split_of(key, 0.5) == "validation"


def test_shares_come_out_as_asked() -> None:
    splits = [split_of(f"utterance-{n}", 0.1, 0.05) for n in range(20_000)]
    assert splits.count("validation") / 20_000 == pytest.approx(0.1, abs=0.01)
    assert splits.count("test") / 20_000 == pytest.approx(0.05, abs=0.01)
