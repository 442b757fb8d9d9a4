"""When two texts are the same, whatever their spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.shared import SharedTexts, folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don't stop!", "  don’t STOP "),
        ("Straße", "STRASSE"),
        ("twenty-one", "Twenty, one."),
        ("ＡＢＣ１２３", "abc123"),
        ("cafe\u0301", "caf\u00e9"),
        ("«Où?» — là…", "où là"),
        ("こんにちは。", "こんにちは"),
    ],
)
def test_case_marks_and_forms_do_not_count(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cafe", "café"), ("किताब", "कताब"), ("one two", "two one"), ("1", "2"), ("…", "!"), ("ab c", "a bc")],
)
def test_other_words_count(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["train", "validation", "test"]))))
def test_counts_are_those_of_sets(rows: list[tuple[str, str]]) -> None:
    shared = SharedTexts()
    for row in rows:
        shared.add(*row)
    found = shared.found(rows)
    splits = {text: {split for other, split in rows if other == text} for text, _ in rows}
    torn = {text for text, held in splits.items() if len(held) > 1}
    assert (found["different"], found["in_several_splits"]) == (len(splits), len(torn))
    assert {one["text"] for one in found["examples"]} == torn
    assert sum(found["utterances"].values()) == sum(text in torn for text, _ in rows)
