"""Phones: letters of IPA with what modifies them."""

from stages.text.ipa import phones
from stages.text.phonemes import phonemize


def test_phones_hold_their_marks() -> None:
    assert phones("həlˈoʊ wˈɜːld") == ["h", "ə", "l", "o", "ʊ", "w", "ɜː", "l", "d"]
    assert phones("ɑ̃ tʲ") == ["ɑ̃", "tʲ"]
    assert phones(" ˈ ") == []
    same, other = (
        phones(text) for text in phonemize(["their night", "there knight"], "en", stress=False, punctuation=False)
    )
    assert same == other, "spelling doesn't count"
