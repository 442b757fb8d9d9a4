"""Reads Chinese letters as pinyin: words by jieba, readings by pypinyin's phrases, then the changes of tone.

Source of the changes of tone: Y. R. Chao, A Grammar of Spoken Chinese (1968); third tones in longer runs by
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

_CACHED = 1 << 14
_SYLLABLE = re.compile("[a-z]*[aeiouv][a-z]*[1-5]")
_DIGITS = "〇零一二三四五六七八九"
_ALWAYS = {"一": "yi1", "不": "bu4", "儿": "er2"}
"""Readings that dictionaries give with the tone of one word, or not as a syllable of its own."""


def _table(text: str) -> dict[str, str]:
    words = iter(text.split())
    return dict(zip(words, words, strict=True))


_ALONE = _ALWAYS | _table("""
    了 le5 的 de5 着 zhe5 得 de5 呢 ne5 吧 ba5 吗 ma5 啊 a5 呀 ya5 们 men5 个 ge4 嗯 en1 哦 o2 欸 ei4 〇 ling2
    谁 shei2 哪 na3 那 na4 这 zhe4 和 he2 没 mei2 都 dou1 还 hai2 为 wei4 重 zhong4 长 chang2 给 gei3 地 di4
    教 jiao1 数 shu3 量 liang2 弹 tan2 削 xiao1 盛 cheng2 铺 pu1 卷 juan3 调 tiao2 薄 bao2 剥 bao1 切 qie1 似 si4
    夹 jia1 吐 tu4 圈 quan1 折 zhe2 占 zhan4 涨 zhang3 钻 zuan1 挣 zheng4 晕 yun1
""")
"""Readings of letters that are words by themselves, where pypinyin gives another one."""
_OWN = _table("大夫 dai4,fu5 夹克 jia1,ke4 数一数 shu3,yi1,shu3 数数 shu3,shu4 背着 bei1,zhe5 得到 de2,dao4")
"""Words that pypinyin doesn't know, or knows otherwise."""
_MEASURES = {"只": "zhi1", "行": "hang2"}
_MEASURE = re.compile(
    f"[{_DIGITS}十百千万亿两几半每](?:只(?![是有能会要好剩不])|行(?![人走动为业程政星长驶李]))|[这那]只(?![是有能会要好剩不])"
)
"""Measure words after a number."""
_BEFORE_MUST = "我你他她它您们谁也都就只总还必非可又才真人"
"""After these, 得 alone is děi, `must`."""
_NOT_MANNER = "块在天大土的"
"""After these, 地 alone is dì, `ground`."""
_FIRST_AFTER = f"第初十{_DIGITS}周期拜之点"
_FIRST_BEFORE = re.compile(f"[十{_DIGITS}月日号楼级班]|年级|等[奖品级]|把手|线")
"""What is an ordinal with 一, or digits: 一月 is January, 一楼 the first floor."""
_NEVER_FIRST = re.compile("[百千万亿]")
_AFTER_HOURS = "刻半些点"
"""After 点一, these make no decimals of it."""
_ASPECT = re.compile("(?<![显原名巨专编土论卓昭新旧合译遗])著(?![名作称述者])")
"""Traditional 著 where it is 着."""


def words(run: str) -> list[tuple[str, Word]]:
    """Returns the words of a run of Chinese letters with their pinyin, tones as they are spoken.

    Args:
        run: Chinese letters only.

    Returns:
        Each word, in simplified letters, and its syllables; none for a letter that pypinyin doesn't know.
    """
    run = _simplified(run)
    parts = _segments(run)
    syllables: list[str] = []
    for part in parts:
        at = len(syllables)
        syllables += [_letter(run, at)] if len(part) == 1 else _reading(part)
    for measure in _MEASURE.finditer(run):
        syllables[measure.end() - 1] = _MEASURES[run[measure.end() - 1]]
    _change_one_and_not(run, parts, syllables)
    _change_thirds(parts, syllables)
    found: list[tuple[str, Word]] = []
    at = 0
    for part in parts:
        found.append((part, tuple(filter(None, syllables[at : at + len(part)]))))
        at += len(part)
    return found


def _simplified(run: str) -> str:
    """Returns a run in simplified letters, in which the dictionaries know more words."""
    simple: str = _opencc().convert(run)
    return run if simple == run or len(simple) != len(run) else _ASPECT.sub("着", simple)


def _segments(run: str) -> list[str]:
    """Splits a run into words: jieba's, and pypinyin's phrases of what jieba leaves as single letters.

    A word with a letter that pypinyin doesn't know is left in letters.
    """
    parts: list[str] = []
    single = ""
    for word in [*_jieba().cut(run, False), ""]:
        if len(word) == 1:
            single += word
            continue
        parts += _phrases(single)
        parts += [word] if word and all(_reading(word)) else word
        single = ""
    return parts


@lru_cache(_CACHED)
def _phrases(letters: str) -> Sequence[str]:
    from pypinyin.seg import mmseg

    return tuple(mmseg.seg.cut(letters))


@lru_cache(_CACHED)
def _reading(word: str) -> Word:
    """Returns the pinyin of a word before changes of tone, a syllable a letter; "" for a letter without any."""
    from pypinyin import Style, lazy_pinyin
    from pypinyin.constants import PHRASES_DICT

    if word in _OWN:
        return tuple(_OWN[word].split(","))
    syllables: list[str] = []
    for piece in [word] if word in PHRASES_DICT else _phrases(word):
        if len(piece) == 1:
            syllables.append("de5" if piece == "得" and syllables else _single(piece))
        else:
            syllables += lazy_pinyin([piece], style=Style.TONE3, neutral_tone_with_five=True)
    if len(syllables) != len(word):
        return tuple(map(_single, word))
    return tuple(_ALWAYS.get(letter, syllable) for letter, syllable in zip(word, syllables, strict=True))


@lru_cache(_CACHED)
def _single(letter: str) -> str:
    """Returns the pinyin of a letter; "" if pypinyin doesn't know it."""
    from pypinyin import Style, lazy_pinyin

    syllable = "".join(lazy_pinyin(letter, style=Style.TONE3, neutral_tone_with_five=True))
    return syllable if _SYLLABLE.fullmatch(syllable) else ""


def _letter(run: str, at: int) -> str:
    """Returns the pinyin of a letter that is a word by itself, in its context."""
    letter, before, after = run[at], run[:at], run[at + 1 :]
    if letter == "得" and (not before or before[-1] in _BEFORE_MUST):
        return "dei3"
    if letter == "地" and after and len(before) > 1 and before[-1] not in _NOT_MANNER:
        return "de5"
    return _ALONE.get(letter) or _single(letter)


def _change_one_and_not(run: str, parts: Sequence[str], syllables: list[str]) -> None:
    """Gives 一 and 不 the tones that they have in a run, in place."""
    if "一" not in run and "不" not in run:
        return
    ends, at = set(), 0
    for part in parts:
        at += len(part)
        ends |= {at - 1} if len(part) > 1 else set()
    for at, letter in enumerate(run[:-1]):
        if letter not in "一不" or (letter == "一" and _is_first(run, at, ends)):
            continue
        following = syllables[at + 1]
        if at and run[at - 1] == run[at + 1]:
            syllables[at] = f"{syllables[at][:-1]}5"
        elif following.endswith("4"):
            syllables[at] = f"{syllables[at][:-1]}2"
        elif letter == "一" and following:
            syllables[at] = "yi4"


def _is_first(run: str, at: int, ends: set[int]) -> bool:
    """Returns whether 一 keeps its first tone. `ends` holds where words of several letters end."""
    before, after = run[at - 1 : at] if at else "", run[at + 1]
    if _NEVER_FIRST.match(after) or (before == "点" and after in _AFTER_HOURS):
        return False
    return at in ends or (before != "" and before in _FIRST_AFTER) or _FIRST_BEFORE.match(run, at + 1) is not None


def _change_thirds(parts: Sequence[str], syllables: list[str]) -> None:
    """Changes third tones before third tones, in place."""
    starts: list[int] = []
    at = 0
    for part in parts:
        for size in _feet(part):
            starts.append(at)
            for index in range(at, at + size - 1):
                if syllables[index].endswith("3") and syllables[index + 1].endswith("3"):
                    syllables[index] = f"{syllables[index][:-1]}2"
            at += size
    for start in reversed(starts[1:]):
        if syllables[start].endswith("3") and syllables[start - 1].endswith("3"):
            syllables[start - 1] = f"{syllables[start - 1][:-1]}2"


@lru_cache(_CACHED)
def _feet(word: str) -> tuple[int, ...]:
    """Returns the lengths of the smallest words in a word: 展览馆 has 2 and 1."""
    if len(word) < 3:
        return (len(word),)
    for part in _jieba().cut_for_search(word):
        if 1 < len(part) < len(word) and word.startswith(part):
            return (len(part), *_feet(word[len(part) :]))
        if 1 < len(part) < len(word) and word.endswith(part):
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
