import pytest

from stages.exchange.filelists.table import TRAINERS
from stages.exchange.table import EXPORTS
from stages.tables import by_key, names_in
from stages.text.languages import Language
from stages.transcripts.formats.plain import read_plain
from stages.transcripts.script import TranscriptFormat


def test_a_key_of_two_rows_names_both() -> None:
    assert by_key([(".srt", "subrip", 1), (".vtt", "webvtt", 2)]) == {".srt": 1, ".vtt": 2}
    with pytest.raises(ValueError, match=r"`\.srt` must be of one row, but both `subrip` and `mine` claim it"):
        by_key([(".srt", "subrip", 1), (".srt", "mine", 2)])
    rows = [Language("eo", name, "eo") for name in ("Esperanto", "Ido")]
    with pytest.raises(ValueError, match="`eo` must be of one row, but both `Esperanto` and `Ido` claim it"):
        by_key((row.code, row.name, row) for row in rows)


def test_names_are_found_without_an_import() -> None:
    assert names_in("stages/exchange", "Export") == sorted(EXPORTS)
    assert names_in("stages/exchange/filelists", "Trainer") == sorted(TRAINERS)


@pytest.mark.parametrize("suffix", [".LRC", "lrc"])
def test_a_suffix_that_never_matches_is_refused(suffix: str) -> None:
    with pytest.raises(ValueError, match=f"suffixes of `lrc` must begin with a dot and .*, but one is `{suffix}`"):
        TranscriptFormat("lrc", (suffix,), read_plain, tells="times")
