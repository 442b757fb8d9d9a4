"""Reads Chinese letters as pinyin: words by jieba, readings by pypinyin's phrases, then the changes of tone.

Source of the changes of tone: Y. R. Chao, A Grammar of Spoken Chinese (1968), §1.3.6; third tones in longer runs by
feet, as C. Shih, The Prosodic Domain of Tone Sandhi in Chinese (1986):

* 一 is yī at the end of a word, in ordinals and between digits, yí before a fourth tone, otherwise yì;
* 不 is bú before a fourth tone, otherwise bù; both are neutral between a repeated word (看一看, 好不好);
* of third tones in a row in the smallest words (展览 in 展览馆) all but the last become second; after that, from the
  end of the run to its beginning, the last one of a word does before a word that still begins with a third.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

Word = tuple[str, ...]
"""The syllables of a word, each with the number of its tone: `("ni2", "hao3")`."""

_DIGITS = "〇零一二三四五六七八九"
_MEASURES = {"只": "zhi1", "隻": "zhi1", "行": "hang2"}
_MEASURE = re.compile(
    "[〇零一二三四五六七八九十百千万亿两几半每](?:只(?![是有能会要好剩不])|隻|行(?![人走动为业程政星长驶李]))|[这那](?:只(?![是有能会要好剩不])|隻)"
)
_ASPECT = re.compile("(?<![显原名巨专编土论卓昭新旧合译遗])著(?![名作称述者])")
"""Traditional 著 where it is 着."""
_BEFORE_MUST = frozenset("我你他她它您们谁也都就只总还必非可又才真人")
"""After these 得 alone is děi, `must`."""
_FIRST_TONE_AFTER = frozenset(f"第初十{_DIGITS}周期拜之点")
_FIRST_TONE_BEFORE = re.compile("[月日号楼]|年级|等[奖品级]|级|班|把手|线")
"""What makes of 一 an ordinal: 一月 is January, 一楼 the first floor."""
_MANY = frozenset("百千万亿")
_FIXED = {
    **{
        "一": "yi1",
        "不": "bu4",
        "儿": "er2",
        "兒": "er2",
        "了": "le5",
        "的": "de5",
        "呢": "ne5",
        "吧": "ba5",
        "嗯": "en1",
    },
    **{
        "〇": "ling2",
        "谁": "shei2",
        "誰": "shei2",
        "哪": "na3",
        "那": "na4",
        "这": "zhe4",
        "着": "zhe5",
        "著": "zhu4",
        "个": "ge4",
    },
    **{
        "和": "he2",
        "没": "mei2",
        "都": "dou1",
        "还": "hai2",
        "為": "wei4",
        "为": "wei4",
        "重": "zhong4",
        "长": "chang2",
    },
    **{
        "吗": "ma5",
        "嗎": "ma5",
        "啊": "a5",
        "呀": "ya5",
        "哦": "o2",
        "欸": "ei4",
        "给": "gei3",
        "得": "de5",
        "们": "men5",
    },
}
"""Readings of letters alone, which pypinyin gives by their citation form."""
_CACHED = 1 << 14


def words(run: str) -> list[tuple[str, Word]]:
    """Returns the words of a run of Chinese letters with their pinyin, tones as they are spoken.

    Args:
        run: Chinese letters only.

    Returns:
        Each word, in simplified letters, and its syllables; none for a letter that pypinyin doesn't know.
    """
    run = _simplified(run)
    found: list[tuple[str, list[str]]] = []
    before = ""
    for word in _segments(run):
        after = run[len(before) + len(word) :]
        found.append((word, _alone(word, before, after) if len(word) == 1 else list(_reading(word))))
        before += word
    _read_measures(run, found)
    _change_one_and_not(run, found)
    _change_thirds(found)
    return [(word, tuple(syllables)) for word, syllables in found]


def _simplified(run: str) -> str:
    """Returns a run in simplified letters, in which the dictionaries know more words."""
    simple: str = _opencc().convert(run)
    if simple == run or len(simple) != len(run):
        return run
    return _ASPECT.sub("着", simple)


def _segments(run: str) -> list[str]:
    """Splits a run into words: jieba's, and pypinyin's phrases of what jieba leaves as single letters."""
    segments: list[str] = []
    single = ""
    for word in [*_jieba().cut(run, False), ""]:
        if len(word) == 1:
            single += word
            continue
        segments += _phrases(single) if len(single) > 1 else [single] * bool(single)
        segments += [word] * bool(word)
        single = ""
    return segments


@lru_cache(_CACHED)
def _phrases(letters: str) -> Sequence[str]:
    from pypinyin.seg import mmseg

    return tuple(mmseg.seg.cut(letters))


@lru_cache(_CACHED)
def _reading(word: str) -> Word:
    """Returns the pinyin of a word without changes of tone."""
    from pypinyin import Style, lazy_pinyin
    from pypinyin.constants import PHRASES_DICT

    known = word in PHRASES_DICT
    pieces = [word] if known else _phrases(word)
    syllables = [
        syllable
        for piece in pieces
        for syllable in (
            lazy_pinyin([piece], style=Style.TONE3, neutral_tone_with_five=True)
            if len(piece) > 1
            else [_FIXED.get(piece) or _single(piece)]
        )
    ]
    if len(syllables) != len(word) or not all(map(_SYLLABLE.fullmatch, syllables)):
        return ()
    return tuple(
        _FIXED[letter] if letter in "一不儿兒" else syllable for letter, syllable in zip(word, syllables, strict=True)
    )


_SYLLABLE = re.compile("[a-z]*[aeiouv][a-z]*[1-5]")


@lru_cache(_CACHED)
def _single(letter: str) -> str:
    from pypinyin import Style, lazy_pinyin

    return "".join(lazy_pinyin(letter, style=Style.TONE3, neutral_tone_with_five=True))


def _alone(letter: str, before: str, after: str) -> list[str]:
    """Returns the pinyin of a letter that is a word by itself, in its context."""
    last = before[-1:]
    if letter == "得" and (not last or last in _BEFORE_MUST):
        return ["dei3"]
    if letter == "地" and after and len(before) > 1 and last not in "块在天大土的":
        return ["de5"]
    syllable = _FIXED.get(letter) or _single(letter)
    return [syllable] if _SYLLABLE.fullmatch(syllable) else []


def _read_measures(run: str, found: list[tuple[str, list[str]]]) -> None:
    """Reads letters as the measure words that they are after a number, in place."""
    measures = list(_MEASURE.finditer(run)) if _MEASURE.search(run) else ()
    for measure in measures:
        at = measure.end() - 1
        for word, syllables in found:
            if at < len(word):
                if syllables:
                    syllables[at] = _MEASURES[measure[0][-1]]
                break
            at -= len(word)


def _change_one_and_not(run: str, found: list[tuple[str, list[str]]]) -> None:
    """Gives 一 and 不 the tones that they have in a run, in place."""
    places = [(syllables, index) for word, syllables in found for index in range(len(word))]
    ends = set()
    at = 0
    for word, _ in found:
        at += len(word)
        if len(word) > 1:
            ends.add(at - 1)
    for at, letter in enumerate(run):
        syllables, index = places[at]
        if letter not in "一不" or not syllables:
            continue
        before, after = run[at - 1 : at], run[at + 1 : at + 2]
        follower, place = places[at + 1] if after else ([], 0)
        tone = follower[place][-1] if follower else ""
        if letter == "一" and _is_first(run, at, ends):
            continue
        if before and before == after:
            syllables[index] = syllables[index][:-1] + "5"
        elif tone == "4" or (after in ("个", "個")):
            syllables[index] = syllables[index][:-1] + "2"
        elif letter == "一" and tone:
            syllables[index] = "yi4"


def _is_first(run: str, at: int, ends: set[int]) -> bool:
    """Returns whether 一 keeps its first tone."""
    before, after = run[at - 1 : at] if at else "", run[at + 1 : at + 2]
    if after in _MANY and after:
        return False
    if before == "点" and after in ("刻", "半", "些", "点"):
        return False
    counted = (
        before in _FIRST_TONE_AFTER and before != "" and not (before in "期" and run[at - 2 : at - 1] not in "星学")
    )
    return (
        not after
        or at in ends
        or counted
        or after in _DIGITS
        or after == "十"
        or bool(_FIRST_TONE_BEFORE.match(run, at + 1))
    )


def _change_thirds(found: list[tuple[str, list[str]]]) -> None:
    """Changes third tones before third tones, in place."""
    feet: list[tuple[list[str], int, int]] = []
    for word, syllables in found:
        if not syllables:
            feet.append(([], 0, 0))
            continue
        start = 0
        for size in _feet(word):
            for index in range(start, start + size - 1):
                if syllables[index][-1] == syllables[index + 1][-1] == "3":
                    syllables[index] = syllables[index][:-1] + "2"
            feet.append((syllables, start, start + size))
            start += size
    following = ""
    for syllables, start, end in reversed(feet):
        if not syllables:
            following = ""
            continue
        if syllables[end - 1][-1] == "3" and following == "3":
            syllables[end - 1] = syllables[end - 1][:-1] + "2"
            for index in range(end - 2, start - 1, -1):
                if syllables[index][-1] != "3":
                    break
        following = syllables[start][-1]


@lru_cache(_CACHED)
def _feet(word: str) -> tuple[int, ...]:
    """Returns the lengths of the smallest words in a word of three letters or more: 展览馆 is 2 and 1."""
    if len(word) < 3:
        return (len(word),)
    inside = [part for part in _jieba().cut_for_search(word) if 1 < len(part) < len(word)]
    for part in inside:
        if word.startswith(part):
            return (len(part), *_feet(word[len(part) :]))
        if word.endswith(part):
            return (*_feet(word[: -len(part)]), len(part))
    return (2,) * (len(word) // 2) + (1,) * (len(word) % 2)


@cache
def _opencc() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


@cache
def _jieba() -> Any:
    import rjieba

    return rjieba
