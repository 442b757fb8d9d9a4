"""Tests that cards are read by the hub's own package as they were meant."""

import pytest
from huggingface_hub import DatasetCard, ModelCard

from stages.publish.cards import card, reasons, size_category, table


def test_the_hub_s_package_reads_the_front_matter() -> None:
    text = card(
        {"language": ["de", "no"], "tags": ["a: b", "#c"], "license": "", "library_name": "x"}, "# Größe\n\nText"
    )
    for kind in (ModelCard, DatasetCard):
        found = kind(text)
        assert found.data.to_dict() == {"language": ["de", "no"], "tags": ["a: b", "#c"], "library_name": "x"}
        assert found.text.strip() == "# Größe\n\nText"


def test_a_language_stays_a_text() -> None:
    """YAML reads a bare `no` as False."""
    assert ModelCard(card({"language": ["no"]}, "x")).data.language == ["no"]


def test_tables_escape_what_would_break_them() -> None:
    assert table(["a", "b"], [("x|y", 12345), ("two\nlines", 1.5)]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| x\\|y | 12,345 |",
        "| two lines | 1.5 |",
    ]
    assert table(["a"], []) == ""
    assert reasons({}) == ""
    assert "| slice | TooLong | 3 |" in reasons({"slice": {"TooLong": 3}})


@pytest.mark.parametrize(
    ("rows", "name"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (5_000_000, "1M<n<10M"), (2 * 10**9, "1B<n<10B")]
)
def test_sizes_have_the_hub_s_names(rows: int, name: str) -> None:
    assert size_category(rows) == name
