import json
import sys
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.corpora import sentences
from stages.corpora.modern import modern_sentences
from stages.corpora.sentences import Sentence, choose, grams, main, read_list, words
from stages.errors import MissingInputError, UsageError
from stages.ids import split_of

WORDS = st.sampled_from(["the", "a", "dog", "cat", "saw", "went", "home", "and", "fast", "blue"])


def pool(source, texts):
    return [Sentence(f"{source}-{number}", text, source) for number, text in enumerate(texts)]


MODERN = pool("m", islice(modern_sentences(), 900))


@given(st.lists(st.lists(WORDS, min_size=5, max_size=8).map(" ".join), min_size=12, max_size=20, unique=True))
@settings(max_examples=50)
def test_no_five_words_are_on_both_sides(texts):
    try:
        chosen = choose([pool("x", texts)], 5, held_out=3)
    except UsageError:
        return  # too few have none in common
    taken = set().union(*(grams(one.text) for one in chosen.held_out))
    assert not any(grams(one.text) & taken for one in chosen.train)


def test_what_is_held_out_depends_on_nothing_else():
    few, many = choose([MODERN], 50, held_out=20), choose([MODERN[::-1]], 500, held_out=20)
    assert few.held_out == many.held_out
    assert many.train[:50] == few.train
    taken = set().union(*(grams(one.text) for one in many.held_out))
    assert not any(grams(one.text) & taken for one in many.train)
    assert many.shared > 0, "some had to be left out"


def test_the_order_is_unlike_that_of_splits_by_text():
    first = choose([MODERN], 100, held_out=20).train
    validation = [one for one in first if split_of(" ".join(words(one.text)), 0.1) == "validation"]
    assert len(validation) < 30


def test_sources_take_turns_and_texts_come_once():
    other = pool("k", [text.upper() for text in (one.text for one in MODERN[:5])])
    chosen = choose([MODERN, other], 30, held_out=4)
    assert [one.source for one in chosen.held_out] == ["m", "k", "m", "k"]
    assert sum(one.source == "k" for one in chosen.train) <= 3
    twice = choose(
        [pool("m", ["One two three four five.", "One, two three four five!", "Six seven eight nine ten."])],
        1,
        held_out=1,
    )
    assert len({tuple(words(one.text)) for one in (*twice.train, *twice.held_out)}) == 2


def test_too_few_are_refused():
    with pytest.raises(UsageError, match="20 sentences to hold out and 5,000 to train on, but there are 20 and"):
        choose([MODERN], 5000, held_out=20)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["sentences", *map(str, arguments)])
    main()


def test_the_lists_and_what_is_told_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sentences, "_POOL", 900)
    monkeypatch.setattr(sentences, "HELD_OUT", 20)
    verses = tmp_path / "kjv.txt"
    verses.write_text("".join(f"Ge1:{n} And {text}\n" for n, text in enumerate(islice(modern_sentences(5), 80))))
    run(monkeypatch, tmp_path / "texts", "--count", 60, "--verses", verses)
    train, tested = (read_list(tmp_path / "texts" / name) for name in (sentences.TRAIN, sentences.TEST))
    assert len(train) == 60
    assert not {one.text for one in train} & {one.text for one in tested}
    about = json.loads((tmp_path / "texts" / sentences.ABOUT).read_text())
    assert sum(about["train"].values()) == 60
    assert set(about["sources"]) == {"kjv", "modern"}
    assert "public domain" in about["sources"]["kjv"]
    assert list(about["phones"].values()) == sorted(about["phones"].values())
    assert "train: 30 modern and 30 kjv" in (told := capsys.readouterr().err)
    assert ("note: these phones" in told) == bool(about["untrained_phones"])
    with pytest.raises(UsageError, match="`--count` must be 1 or more, but is 0"):
        run(monkeypatch, tmp_path / "texts", "--count", 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\tOne.\na\tTwo.\n", "`a` is there twice"),
        ("one sentence\n", "line 1 .* a tab and a text"),
        ("", "is empty"),
        ("../a\tOne.\n", "must be a name of letters"),
    ],
)
def test_lists_that_cant_be_read(tmp_path, text, told):
    path = tmp_path / "list.tsv"
    with pytest.raises(MissingInputError, match="can't be read"):
        read_list(path)
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_list(path)
