"""Proofs for the keys of `g2p`."""

from dataclasses import replace

from stages.artefacts.formats import write_lines
from stages.base import Filtered
from stages.records import Measures, Utterance
from stages.text import kana, phonemes
from stages.text.phonemes import phonemize
from stages.utterances.duplicates import write_duplicates
from stages.utterances.sketch import sketch
from tests.keys.world import RATE, Proof, World, noise, utterance


def _phonemes(world: World, **values: bool | str) -> str:
    [row] = world.outcomes("g2p", utterance(text="Hello, my friend."), **values)
    phonemes: str = row.phonemes
    return phonemes


def _stress(world: World) -> None:
    marks = str.maketrans("", "", "ˈˌ")
    whole = _phonemes(world, stress=True)
    assert whole != whole.translate(marks) == _phonemes(world, stress=False)


def _punctuation(world: World) -> None:
    whole = _phonemes(world, punctuation=True)
    assert whole != "".join(letter for letter in whole if letter not in ",.") == _phonemes(world, punctuation=False)


def _threshold(key: str, reason: str) -> Proof:
    """Proves a bound from both sides; the utterance has 4 phonemes, `tɛnt`, in one second."""

    def proof(world: World) -> None:
        lower = key.startswith("min_")
        for bound, stays in ((3.9, lower), (4.0, True), (4.1, not lower)):
            [found] = world.outcomes("g2p", utterance(text="Tent."), stress=False, **{key: bound})
            assert isinstance(found, Utterance) == stays, bound
            assert stays or (isinstance(found, Filtered) and found.reason == reason)

    return proof


def _unique(world: World) -> None:
    equal = Measures(9.0, 0, 0, 1.0, "ab")
    rows = [replace(utterance(name), measures=equal) for name in ("a/1.wav", "b/2.wav")]
    rows.append(replace(utterance("c/3.wav"), measures=replace(equal, hash="cd")))
    common = [sketch(noise(2, seed=1), RATE) for _ in range(2)]
    for name, of in zip(("d/4.wav", "e/5.wav"), common, strict=True):
        rows.append(replace(utterance(name), measures=replace(equal, hash=name[0] * 2, sketch=of)))
    (folder := world.folder / "slice").mkdir()
    write_lines(folder / "0.rows.jsonl", (row.to_json() for row in rows))
    write_duplicates(folder, ["0"])
    copy = "Duplicate"
    for unique, reasons in (
        *((True, ["", copy, "", "", ""]), (False, [""] * 5)),
        ("near", ["", copy, "", "", copy]),
    ):
        assert [getattr(one, "reason", "") for one in world.outcomes("g2p", *rows, unique=unique)] == reasons


def _lexicon(world: World) -> None:
    path = world.folder / "words.tsv"
    path.write_text("en\tHello\tˈa\n", encoding="utf-8")
    assert _phonemes(world, lexicon=str(path)).startswith("ˈa, ")
    assert not _phonemes(world).startswith("ˈa, ")


def _japanese_by_a_stand_in(world: World) -> None:
    """Open JTalk needs an extra: here it reads all as one word."""
    world.patch.setattr(kana, "split", lambda run: iter([(run, "あ", False)]))
    world.patch.setattr(phonemes, "check_packages", lambda *_: None)
    row = utterance(text="今日は。", language="ja")
    read = {key: world.outcomes("g2p", row, japanese=key)[0].phonemes for key in ("pykakasi", "openjtalk")}
    assert read["openjtalk"] == phonemize(["あ。"], "ja")[0] != read["pykakasi"] == phonemize(["きょうわ。"], "ja")[0]


G2P: dict[str, Proof] = {
    "japanese": _japanese_by_a_stand_in,
    "lexicon": _lexicon,
    "stress": _stress,
    "punctuation": _punctuation,
    "min_phonemes_per_s": _threshold("min_phonemes_per_s", "FewPhonemes"),
    "max_phonemes_per_s": _threshold("max_phonemes_per_s", "ManyPhonemes"),
    "unique": _unique,
}
