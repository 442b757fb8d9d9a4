import re
from itertools import islice

from stages.corpora.modern import PATTERNS, WORDS, modern_sentences
from stages.text.ipa import phones
from stages.text.phonemes import phonemize


def test_sentences_are_whole_and_the_same_again():
    some = list(islice(modern_sentences(), 40 * PATTERNS))
    assert some == list(islice(modern_sentences(), 40 * PATTERNS))
    assert some != list(islice(modern_sentences(1), 40 * PATTERNS))
    assert len(set(some)) > 0.99 * len(some)
    for text in some:
        assert re.fullmatch(r"[A-Z][A-Za-z ,']+[.?]", text), text
        assert "  " not in text
    assert not [text for text in some if re.search(r"\b[Aa] [aeio]|\b[Aa]n [^aeiouh]|\b[Aa]n (h(?!onest)|uni)", text)]


def test_no_word_comes_twice_in_a_slot():
    assert all(len(set(words)) == len(words) for words in WORDS.values())


def test_a_few_hundred_have_every_sound_of_english():
    read = phonemize(list(islice(modern_sentences(), 12 * PATTERNS)), "en", stress=False, punctuation=False)
    found = {phone for line in read for phone in phones(line)}
    consonants = [*"pbtdkɡfvθðszʃʒhmnŋlɹwjɾ"]
    vowels = ["iː", "ɑː", "ɔː", "uː", "ɜː", *"ɪɛæɔʊʌəɚeaoᵻɐi"]
    assert {*consonants, *vowels} <= found
