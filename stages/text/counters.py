"""Reads Japanese numbers in kanji together with the counters after them: 三本 さんぼん, 二十歳 はたち.

How the last part of a number and its counter change each other is told by class of counter, as textbooks do. Where two
readings are both heard, one is taken: 七年 ななねん, 九人 きゅうにん, 十回 じゅっかい.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stages.text.languages import HAN, KATAKANA
from stages.text.spoken.asian.han import kanji_number
from stages.text.spoken.asian.patterns import either


class Reading(NamedTuple):
    """A number that was read."""

    end: int
    """Where it ends in the text, with its counter."""
    kana: str
    sure: bool
    """Whether a counter, 第 or the form of the number shows that it is one; 七五三 alone may be a word."""


def _words(text: str) -> list[str]:
    return text.split()


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    words = iter(_words(text))
    return zip(words, words, strict=True)


NUMERALS = "第〇零一二三四五六七八九十百千何数"
"""What a number may begin with."""

_ONES = dict(
    _pairs("〇 ぜろ 零 ぜろ 一 いち 二 に 三 さん 四 よん 五 ご 六 ろく 七 なな 八 はち 九 きゅう 何 なん 数 すう")
)
_VALUES = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {"零": 0}
_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "億": 10**8, "兆": 10**12, "京": 10**16}

_DIGIT = "一二三四五六七八九何数"
_GROUP = f"(?:[{_DIGIT}]?千)?(?:[{_DIGIT}]?百)?(?:[{_DIGIT}]?十)?[{_DIGIT}]?"
_LARGE = "".join(f"(?:(?!{unit}){_GROUP}{unit})?" for unit in "京兆億万")
_NUMBER = re.compile(f"[〇零]|{_LARGE}{_GROUP}")
_PLACES = re.compile("[〇零一二三四五六七八九]{2,}(?![十百千万億兆])")
_DECIMALS = re.compile("点([〇零一二三四五六七八九]+)")

_CLASSES: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "k": dict.fromkeys("一六八十百", "っ"),
    "g": dict.fromkeys("一六八十百", "っ") | dict.fromkeys("三何", "g"),
    "s": dict.fromkeys("一八十", "っ"),
    "z": dict.fromkeys("一八十", "っ") | dict.fromkeys("三千何", "z"),
    "b": dict.fromkeys("一六八十百", "っp") | dict.fromkeys("三千万何", "b"),
    "f": dict.fromkeys("一六八十百", "っp") | dict.fromkeys("三四千何", "p"),
    "h": dict.fromkeys("一六八十百", "っp") | dict.fromkeys("三何", "p"),
    "hb": dict.fromkeys("一六八十百", "っp") | dict.fromkeys("三千何", "b"),
    "w": dict.fromkeys("六十百", "っp") | dict.fromkeys("三千何", "b"),
    "p": dict.fromkeys("八十", "っ"),
}
"""What becomes of the last part of a number and of the counter, by class of counter: `っ` doubles the consonant between
them, the Latin letter is the counter's new one."""
_COUNTERS_OF_CLASS = {
    "b": "本 ほん 匹 ひき 杯 はい",
    "f": "分 ふん 分間 ふんかん 泊 はく 発 はつ",
    "h": "歩 ほ 拍 はく 敗 はい 編 へん 版 はん 品 ひん 犯 はん 遍 へん",
    "hb": "票 ひょう 俵 ひょう",
    "w": "羽 わ",
    "k": """個 こ 回 かい 箇月 かげつ か月 かげつ ヶ月 かげつ ヵ月 かげつ カ月 かげつ ケ月 かげつ か国 かこく ヶ国
    かこく カ国 かこく ヵ国 かこく ヵ所 かしょ ヵ年 かねん か所 かしょ ヶ所 かしょ カ所 かしょ 箇所 かしょ か年
    かねん ヶ年 かねん カ年 かねん 件 けん 戸 こ 曲 きょく 機 き 基 き 球 きゅう 級 きゅう 局 きょく 期 き 巻 かん
    缶 かん 校 こう 脚 きゃく 課 か 株 かぶ 桁 けた 回戦 かいせん 回転 かいてん か条 かじょう 光年 こうねん キロ
    きろ""",
    "g": "階 かい 階建て かいだて 軒 けん",
    "s": """冊 さつ 歳 さい 才 さい 週間 しゅうかん 週 しゅう 世紀 せいき 世帯 せたい 世代 せだい 世 せい 社 しゃ
    種類 しゅるい 種 しゅ 章 しょう 勝 しょう 周年 しゅうねん 周 しゅう 席 せき 隻 せき 艘 そう 車線 しゃせん 進法
    しんほう 進数 しんすう 節 せつ 首 しゅ 作 さく 試合 しあい シーズン しーずん センチ せんち 頭 とう 等 とう 着
    ちゃく 丁目 ちょうめ 丁 ちょう 通 つう 点 てん 体 たい 対 つい 店 てん 滴 てき 店舗 てんぽ トン とん テラ てら""",
    "z": "足 そく",
    "p": "パーセント ぱーせんと ページ ぺーじ ポイント ぽいんと ペア ぺあ パック ぱっく ピース ぴーす",
    "plain": """通り とおり 話 わ 枚 まい 台 だい 番 ばん 番目 ばんめ 番線 ばんせん 番地 ばんち 番手 ばんて 円 えん
    年 ねん 年間 ねんかん 年生 ねんせい 年代 ねんだい 年度 ねんど 年目 ねんめ 度 ど 倍 ばい 名 めい 位 い 部 ぶ 問
    もん 月 がつ 時 じ 時間 じかん 日 にち 日間 にちかん 日目 にちめ 人 にん 人目 にんめ 人前 にんまえ 人組 にんぐみ
    つ つ つ目 つめ 号 ごう 号室 ごうしつ 号車 ごうしゃ 号線 ごうせん 号機 ごうき 夜 や 膳 ぜん 畳 じょう 秒 びょう
    秒間 びょうかん 割 わり 両 りょう 列 れつ 合 ごう 面 めん 文字 もじ 代 だい 代目 だいめ 台目 だいめ 枚目 まいめ
    次 じ 組 くみ 箱 はこ 袋 ふくろ 皿 さら 部屋 へや 口 くち 束 たば 粒 つぶ 切れ きれ 条 じょう 項 こう 行 ぎょう
    段 だん 段階 だんかい 乗 じょう 字 じ 学期 がっき 文 ぶん 万 まん 億 おく ミリ みり メートル めーとる グラム
    ぐらむ リットル りっとる ドル どる ユーロ ゆーろ ポンド ぽんど メガ めが ギガ ぎが バイト ばいと""",
}
_POWER_READINGS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "十": ("じゅう", {}),
    "百": ("ひゃく", {"三": "b", "何": "b", "六": "っp", "八": "っp"}),
    "千": ("せん", {"三": "z", "何": "z", "一": "っ", "八": "っ"}),
    "万": ("まん", {}),
    "億": ("おく", {}),
    "兆": ("ちょう", _CLASSES["s"]),
    "京": ("けい", _CLASSES["k"]),
}


_COUNTERS = {
    counter: (kana, _CLASSES[kind]) for kind, text in _COUNTERS_OF_CLASS.items() for counter, kana in _pairs(text)
}
_OTHER_WORD = "|".join(
    _words(
        """日本 日[曜常] 月曜 人[間類気生物] 番[組号] 世[界話間論] 時代 部[分長隊門下活員品署] 社[会長員説]
        文[化章庫学句] 作[品業者] 面[積白接] 体[重育力制系験操] 機[会関械能] 行[くきっこけかわいう動為政]
        代[表理わ金] 通[うっじ常信過知学勤訳] 対[応しす策象戦話立] 着[物くてるたいけ] 等し 問[題いわう] 期[間待限]
        位置 品[質物] 編[集むみ] 発[表売生見展言車明音] 割[合りっれるら] 両[方親手] 夜中 条[件約] 組[織みんむ]
        合[計わいっ格意戦] 首[都相] 巻[きくい] 校[長舎] 戸籍 曲[がげ線] 課[題長税] 株[式価] 回[るりっらす答復]
        台[風所本湾] 点[滅検] 名[前古詞作物人] 店[員長内頭] 種[目子別] 話[すしせそさ] 足[りらしす元] 局面
        本[当人日格社店部質来物能気文書番町線] 匹敵 杯盤 歩[くいきけ行道] 度々 句読 字幕 枚挙 位[相] 球[場団技]
        席[上次] 章節 敗[れ北者] 票決 版[画権] 階[級段層] 切れ[るまなた] 皿[洗] 口[調癖] 束[ね縛] 万[が一]
        分[野析類割担解離布別け] 分か[れち] 頭[脳痛上] 丁寧 体系 節[約電] 周[辺囲期] 週末 冊子 才能 歳[入出月末]"""
    )
)
"""Words that begin like a counter, and follow a number for other reasons: 第一日本, 三世界."""
_COUNTER = re.compile(f"(?!{_OTHER_WORD})(?:{either(_COUNTERS)})".replace("|年生|", "|年生(?!ま)|"))
_PREFIXES = frozenset(_words("キロ センチ ミリ メガ ギガ テラ"))
_REST_OF_UNIT = re.compile(f"[{KATAKANA}ー]*")
_IN_HIRAGANA = {katakana: katakana - 0x60 for katakana in range(ord("ァ"), ord("ヴ") + 1)}
_CHANGED = {
    "b": dict(zip("はひふへほわ", "ばびぶべぼば", strict=True)),
    "p": dict(zip("はひふへほわ", "ぱぴぷぺぽぱ", strict=True)),
    "g": dict(zip("かきくけこ", "がぎぐげご", strict=True)),
    "z": dict(zip("さしすせそ", "ざじずぜぞ", strict=True)),
}
_LAST_DIGIT = {
    **{counter: {"四": "よ"} for counter in _words("人 人目 人前 人組 年 年間 年生 年度 年目 円 か年 ヶ年 カ年")},
    **{counter: {"四": "よ", "七": "しち", "九": "く", "零": "れい", "〇": "れい"} for counter in ("時", "時間")},
    "月": {"四": "し", "七": "しち", "九": "く"},
    "日": {"七": "しち", "九": "く"},
    "度": {"零": "れい", "〇": "れい"},
    "点": {"零": "れい", "〇": "れい"},
}
"""Readings of a number's last digit that only these counters ask for."""
_DAYS = dict(enumerate(_words("ついたち ふつか みっか よっか いつか むいか なのか ようか ここのか とおか"), 1)) | {
    **{14: "じゅうよっか", 20: "はつか", 24: "にじゅうよっか"},
}
_THINGS = dict(enumerate(_words("ひとつ ふたつ みっつ よっつ いつつ むっつ ななつ やっつ ここのつ"), 1))
_ONE_OR_TWO = "組 くみ 箱 はこ 袋 ふくろ 皿 さら 部屋 へや 口 くち 束 たば 粒 つぶ 切れ きれ 通り とおり"
_NATIVE: Mapping[str, Mapping[int, str]] = {
    "つ": _THINGS,
    "つ目": {value: f"{kana}め" for value, kana in _THINGS.items()},
    "日": _DAYS,
    "日間": {value: f"{kana}かん" for value, kana in _DAYS.items() if value > 1},
    "日目": {value: f"{kana}め" for value, kana in _DAYS.items() if value > 1},
    "人": {1: "ひとり", 2: "ふたり"},
    "人目": {1: "ひとりめ", 2: "ふたりめ"},
    "歳": {20: "はたち"},
    "才": {20: "はたち"},
    **{counter: {1: f"ひと{kana}", 2: f"ふた{kana}"} for counter, kana in _pairs(_ONE_OR_TWO)},
}
"""Numbers that counters read in words of their own, by value."""
_WORDS = re.compile("一行|一体|一期|一文|一条|四条|千歳|五分五分|一代|一夜|一色|何時(?!間)|何代|一日中|一年中")
"""Words of a number and a counter that are more than that: their reading is the dictionary's."""
_A_DAY = re.compile(
    "[中間目もでがのをは分半以前当一二三四五六七八九十何]|ずつ|おき|あた|に[一二三四五六七八九十百千何数]|$"
)
"""What follows 一日 where it is a day's time, いちにち, and not the first of a month, ついたち."""
_MINUTES = re.compile("[間後以未遅待歩程過頃弱強]|前(?!な)|くらい|ぐらい|ほど|おき|かか|ごと|すぎ|足ら|ごろ|たっ|経")
"""What follows 十分 where it is ten minutes, じゅっぷん, and not `enough`, じゅうぶん."""
_PORTION = re.compile(f"の(?:ルート|[{_DIGIT}十百千])")
"""What follows 分 in a fraction."""
_AFTER = dict(_pairs("頃 ごろ 間 かん 目 め 後 ご 半 はん 弱 じゃく 強 きょう 分 ぶん 中 ちゅう"))
"""Short words after a counter, and how they are read there."""
_LONGER_WORD = re.compile(
    "間[違隔]|目[的標指線下覚立]|後[半者方退継悔]|半[端額面数島径]|弱[いっ]|強[いくさっ]|分[野布析類割担解離け]"
    f"|中(?![一二三四五六七八九十百千])[{HAN}]"
)


def read_number(text: str, at: int) -> Reading | None:
    """Reads the number in kanji that begins at a place of a text, with its counter and what belongs to it.

    Args:
        text: Any text.
        at: Where the number, or 第 before it, must begin.

    Returns:
        Where it ends and how it is read in hiragana; None if no number begins there, or it is read as a word.
    """
    start = at + text.startswith("第", at)
    digits = _digits(text, start)
    if not digits or digits == "数":
        return None
    decimals = _DECIMALS.match(text, start + len(digits))
    end = decimals.end() if decimals else start + len(digits)
    counter = _COUNTER.match(text, end)
    value = None if decimals or not _VALUES.keys() | _POWERS.keys() >= set(digits) else _value(digits)
    if counter and counter[0] == "月" and value not in range(1, 13):
        counter = None
    if decimals:
        whole = _attached(_parts(digits, _LAST_DIGIT["点"]), "点", "てん", _CLASSES["s"])
        parts = [*whole, *((digit, _ONES[digit]) for digit in decimals[1])]
    elif _PLACES.fullmatch(digits) and (not counter or _is_one_by_one(digits)):
        parts, value = [(digit, _ONES[digit]) for digit in digits], None
    else:
        words = digits if value is None or not _PLACES.fullmatch(digits) else kanji_number(value)
        parts = _parts(words, _LAST_DIGIT.get(counter[0], {}) if counter else {})
    sure = counter is not None or decimals is not None or start > at or bool(_POWERS.keys() & set(digits[1:]))
    if not counter:
        return None if digits == "何" else Reading(end, "だい" * (start - at) + _kana(parts), sure)
    if _WORDS.match(text, at) or (digits == "十" and counter[0] == "分" and _is_enough(text, at, counter)):
        return None
    kana = _counted(text, at, parts, counter, value)
    end = counter.end()
    if counter[0] in _PREFIXES and (rest := _REST_OF_UNIT.match(text, end)):
        kana, end = kana + rest[0].translate(_IN_HIRAGANA), rest.end()
    after = _AFTER.get(text[end : end + 1], "")
    if after and not (counter[0] == "時" and text[end] == "分") and not _LONGER_WORD.match(text, end):
        kana, end = kana + after, end + 1
    return Reading(end, "だい" * (start - at) + kana, sure)


def _digits(text: str, at: int) -> str:
    places = _PLACES.match(text, at)
    number = places or _NUMBER.match(text, at)
    return number[0] if number else ""


def _is_one_by_one(digits: str) -> bool:
    """Returns whether digits before a counter are said one by one: 〇五, and 二三 for `two or three`."""
    return digits[0] in "〇零" or (len(digits) == 2 and _VALUES[digits[1]] == _VALUES[digits[0]] + 1)


def _is_enough(text: str, at: int, counter: re.Match[str]) -> bool:
    """Returns whether 十分 is the word じゅうぶん."""
    end = counter.end()
    return text[at - 1 : at] != "時" and not _MINUTES.match(text, end) and not _PORTION.match(text, end)


def _counted(text: str, at: int, parts: "_Parts", counter: re.Match[str], value: int | None) -> str:
    """Returns the kana of a number and its counter."""
    name, end = counter[0], counter.end()
    kana, changes = _COUNTERS[name]
    if name == "対" and text[end : end + 1] in NUMERALS:
        kana = "たい"
    if name == "分" and _PORTION.match(text, end):
        return _kana(parts) + "ぶん"
    if name == "日" and value == 1 and text[at - 1 : at] != "月" and _A_DAY.match(text, end):
        return "いちにち"
    if value is not None and (word := _NATIVE.get(name, {}).get(value)):
        return word
    return _kana(_attached(parts, name, kana, changes))


_Parts = list[tuple[str, str]]
"""The parts of a number: a digit or power, and its kana."""


def _kana(parts: _Parts) -> str:
    return "".join(kana for _, kana in parts)


def _parts(digits: str, last: Mapping[str, str]) -> _Parts:
    """Reads a number. `last` holds readings of its last digit that its counter asks for."""
    parts: _Parts = []
    for place, digit in enumerate(digits, 1):
        if digit in _POWERS:
            parts = _attached(parts, digit, *_POWER_READINGS[digit])
        else:
            parts.append((digit, last.get(digit, _ONES[digit]) if place == len(digits) else _ONES[digit]))
    return parts


def _attached(parts: _Parts, key: str, kana: str, changes: Mapping[str, str]) -> _Parts:
    """Returns the parts of a number with another one after them, and what they make of each other's sounds."""
    if not parts:
        return [(key, kana)]
    *before, (last, last_kana) = parts
    change = changes.get(last, "")
    if change.startswith("っ"):
        last_kana = last_kana[:-1] + "っ"
    if letter := change.removeprefix("っ"):
        kana = _CHANGED[letter][kana[0]] + kana[1:]
    return [*before, (last, last_kana), (key, kana)]


def _value(digits: str) -> int:
    if not _POWERS.keys() & set(digits):
        return int("".join(str(_VALUES[digit]) for digit in digits))
    total = group = 0
    digit = None
    for letter in digits:
        power = _POWERS.get(letter)
        if power is None:
            digit = _VALUES[letter]
        elif power < 10**4:
            group, digit = group + (1 if digit is None else digit) * power, None
        else:
            total, group, digit = total + (group + (digit or 0)) * power, 0, None
    return total + group + (digit or 0)
