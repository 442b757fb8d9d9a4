"""Addresses of pages and of mail."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("www.test.org", "W W W dot test dot org"),
        ("https://test.com/a-b", "test dot com slash a dash b"),
        ("ann.lee@mail.net", "ann dot lee at mail dot net"),
        ("See news.co.uk.", "See news dot co dot U K."),
        ("@ann", "at ann"),
        ("#fun", "hashtag fun"),
        ("x.name", "x.name"),
    ],
)
def test_links_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
