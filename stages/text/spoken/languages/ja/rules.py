"""Japanese: digits become kanji, which `stages.text.counters` reads together with their counters."""

import re

from stages.text.languages import HAN, HIRAGANA, KATAKANA
from stages.text.spoken.asian.han import LONGEST_KANJI, kanji_number, one_by_one
from stages.text.spoken.asian.links import LINKED, links
from stages.text.spoken.asian.patterns import (
    ALONE,
    AMOUNT,
    DIGITS,
    END,
    INTEGER,
    SAID,
    START,
    WAVE,
    amount,
    either,
    narrow,
    pairs,
)
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule, Rules, rule

_MYRIAD = "[百千万億兆京]*"

_WORD = f"{HAN}々"
_ERAS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_CURRENCIES = pairs(
    "$ ドル, US$ ドル, USD ドル, € ユーロ, EUR ユーロ, £ ポンド, GBP ポンド, ¥ 円, ￥ 円, JPY 円, ₩ ウォン",
    "KRW ウォン, A$ オーストラリアドル, HK$ 香港ドル, C$ カナダドル, CHF スイスフラン, CNY 人民元, ₹ ルピー",
    "₽ ルーブル",
)
_CENTS = {"ドル": "セント", "ユーロ": "セント", "ポンド": "ペンス"}
_UNITS = pairs(
    "km/h キロメートル毎時, m/s メートル毎秒, kWh キロワット時, km² 平方キロメートル, km2 平方キロメートル",
    "㎢ 平方キロメートル, m² 平方メートル, m2 平方メートル, ㎡ 平方メートル, cm² 平方センチメートル",
    "cm2 平方センチメートル, m³ 立方メートル, m3 立方メートル, ㎥ 立方メートル, cm³ 立方センチメートル",
    "km キロメートル, ㎞ キロメートル, m メートル, cm センチメートル, ㎝ センチメートル, mm ミリメートル",
    "㎜ ミリメートル, μm マイクロメートル, µm マイクロメートル, nm ナノメートル, kg キログラム, ㎏ キログラム",
    "g グラム, mg ミリグラム, ㎎ ミリグラム, t トン, L リットル, l リットル, ℓ リットル, mL ミリリットル",
    "ml ミリリットル, ㎖ ミリリットル, dL デシリットル, cc シーシー, kcal キロカロリー, cal カロリー, W ワット",
    "kW キロワット, MW メガワット, V ボルト, A アンペア, Hz ヘルツ, kHz キロヘルツ, MHz メガヘルツ, GHz ギガヘルツ",
    "KB キロバイト, kB キロバイト, MB メガバイト, GB ギガバイト, TB テラバイト, Mbps メガビーピーエス",
    "Gbps ギガビーピーエス, hPa ヘクトパスカル, dB デシベル, ha ヘクタール, ms ミリ秒, s 秒, min 分, h 時間",
    "rpm 回転毎分, ℃ 度, °C 度, ℉ 度, °F 度, ° 度, % パーセント, ％ パーセント, ‰ パーミル, px ピクセル",
    "pt ポイント, mAh ミリアンペア時",
)
_UNIT = either(_UNITS)
_CURRENCY = either(_CURRENCIES)
_TERMINAL = "%％‰°℃℉㎏㎎㎜㎝㎞㎡㎥㎢ℓ㎖"
"""Units that are signs: a letter may follow them."""
_OPERATORS = {
    "+": "プラス",
    "-": "マイナス",
    "−": "マイナス",
    "×": "かける",
    "÷": "割る",
    "=": "イコール",
    "±": "プラスマイナス",
}
_SIGNS = {"√": "ルート", "№": "ナンバー", "〒": "郵便番号", "℡": "電話", "∞": "無限大"}
_WEEKDAY = "[月火水木金土日]"


def _number(digits: str) -> str:
    """Returns an amount as kanji."""
    return amount(digits, kanji_number, one_by_one, "点", LONGEST_KANJI)


def _plain(digits: str) -> str:
    """Returns a number of which zeros before it aren't said, as in 08月."""
    return kanji_number(int(digits))


def _date(match: re.Match[str]) -> str | None:
    year, month, day = match["year"], int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{_plain(year)}年{_plain(match['month'])}月{_plain(match['day'])}日"


def _day(match: re.Match[str]) -> str | None:
    """Reads 12/25: a date if it can hardly be a fraction, or if a weekday follows."""
    month, day = int(match[1]), int(match[2])
    weekday = match.string[match.end() :].lstrip()[:2]
    dated = re.match(rf"\({_WEEKDAY}", weekday) is not None or (day > 12 and month > 1)
    return f"{_plain(match[1])}月{_plain(match[2])}日" if dated and 1 <= month <= 12 and 1 <= day <= 31 else None


def _era(match: re.Match[str]) -> str:
    year, *rest = (part for part in (match[2], match[3], match[4]) if part)
    words = "".join(f"{_plain(part)}{unit}" for part, unit in zip(rest, "月日", strict=False))
    return f"{_ERAS[match[1]]}{'元' if int(year) == 1 else _plain(year)}年{words}"


def _weekdays(match: re.Match[str]) -> str:
    first, last, holiday = match["first"], match["last"], match["holiday"]
    words = f"{first}曜日から{last}曜日" if last else f"{first}曜日"
    return f"日{words}祝日" if holiday else f"日{words}"


def _clock(match: re.Match[str]) -> str | None:
    hour, minute, second = match["hour"], match["minute"], match["second"]
    if int(hour) > 30 or int(minute) > 59 or int(second or 0) > 59:
        return None
    half = {"A": "午前", "P": "午後"}.get((match["half"] or match["half_after"] or "")[:1].upper(), "")
    words = f"{half}{_plain(hour)}時"
    if int(minute) or second:
        words += _counted(minute, "分")
    return words + (_counted(second, "秒") if second else "")


def _counted(digits: str, counter: str) -> str:
    return f"{_plain(digits)}{counter}"


def _fraction(match: re.Match[str]) -> str:
    whole = f"{_number(match['whole'])}{match['and'].strip() or 'と'}" if match["whole"] else ""
    return f"{whole}{_number(match['below'])}分の{'ルート' if match['root'] else ''}{_number(match['above'])}"


def _money(match: re.Match[str]) -> str:
    name = _CURRENCIES[match["sign"]]
    amount, _, cents = match["amount"].partition(".")
    if len(cents) == 2 and not match["myriad"] and name in _CENTS:
        return f"{_number(amount)}{name}" + (f"{_plain(cents)}{_CENTS[name]}" if int(cents) else "")
    return f"{_number(match['amount'])}{match['myriad']}{name}"


def _phone(match: re.Match[str]) -> str:
    plus = "プラス" if match[0].startswith("+") else ""
    return plus + "の".join(one_by_one(part) for part in re.findall("[0-9]+", match[0]))


def _minutes(match: re.Match[str]) -> str | None:
    """Writes ten minutes so that they aren't taken for the word 十分, `enough`."""
    return None if match[0].startswith("10分の") else "ジュップン"


_WEB = pairs(
    ". ドット, @ アットマーク, / スラッシュ, - ハイフン, _ アンダーバー, : コロン, ? クエスチョン, = イコール",
    "& アンド, # シャープ, % パーセント, + プラス, ~ チルダ",
)
_RULES: tuple[Rule, ...] = (
    *links(_WEB, one_by_one, "ハッシュタグ"),
    rule(
        "telephone",
        rf"{ALONE}(?:\+[0-9]{{1,3}}|0[0-9]{{1,4}})[-‐–( ][0-9]{{1,4}}[-‐–) ][0-9]{{3,4}}{END}",
        _phone,
    ),
    rule("telephone", rf"(?<=〒)\s?[0-9]{{3}}-[0-9]{{4}}{END}", _phone),
    rule(
        "date",
        rf"{START}(?P<year>[12][0-9]{{3}})(?P<sep>[-/.])(?P<month>[01]?[0-9])(?P=sep)(?P<day>[0-3]?[0-9]){END}",
        _date,
    ),
    rule(
        "date",
        rf"(?<![A-Za-z])([MTSHR])\.([0-9]{{1,2}})(?:\.([0-9]{{1,2}}))?(?:\.([0-9]{{1,2}}))?{END}年?",
        _era,
    ),
    rule("date", rf"(?<![A-Za-z])([MTSHR])([0-9]{{1,2}})\.([0-9]{{1,2}})\.([0-9]{{1,2}}){END}", _era),
    rule("date", r"(?<![A-Za-z])([MTSHR])([0-9]{1,2})()()年", _era),
    rule("date", rf"{START}([0-9]{{1,2}})/([0-9]{{1,2}})(?!/){END}", _day),
    rule(
        "date",
        rf"(?<=[0-9])日\s?[(（](?P<first>{_WEEKDAY})曜?日?(?:{WAVE}(?P<last>{_WEEKDAY})曜?日?)?"
        "(?P<holiday>[・ ,]祝)?[)）]",
        _weekdays,
    ),
    rule(
        "time",
        rf"(?:(?P<half>[AaPp][Mm])\s?)?{START}(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}))?(?![:0-9])"
        r"(?:\s?(?P<half_after>[AaPp][Mm])(?![A-Za-z]))?",
        _clock,
    ),
    rule("time", rf"{START}10分(?:の[0-9一二三四五六七八九])?", _minutes),
    rule(
        "fraction",
        rf"{START}(?:(?P<whole>[0-9]+)(?P<and>[ と荷]))?(?P<root>√)?"
        r"(?P<above>[0-9]{1,4})/(?P<below>[1-9][0-9]{0,3})(?![0-9/])",
        _fraction,
    ),
    rule(
        "money",
        rf"(?P<sign>{_CURRENCY})\s?(?P<amount>{AMOUNT})(?P<myriad>{_MYRIAD}){END}",
        _money,
    ),
    rule(
        "measure",
        rf"(?<=[0-9万億])\s?({_UNIT})(?:(?<=[{_TERMINAL}])|(?![A-Za-z0-9/²³]))",
        lambda match: _UNITS[match[1]],
    ),
    rule(
        "range",
        rf"(?<![{_WORD}])({_WEEKDAY}){WAVE}({_WEEKDAY})(?![{_WORD}])",
        lambda match: f"{match[1]}曜から{match[2]}曜",
    ),
    rule("range", rf"(?<=[{SAID}年月日時分秒円人度回枚本個歳])[-–](?=[0-9{SAID}])", lambda _: "から"),
    rule(
        "score",
        rf"{START}(?<!-)([0-9]{{1,4}})(?::|[-–](?=[0-9]+(?:で(?:勝|敗|負|下|破)|の(?:勝利|敗戦|スコア))))([0-9]{{1,5}})(?![0-9:]|\.[0-9])",
        lambda match: f"{_number(match[1])}対{_number(match[2])}",
    ),
    rule(
        "range",
        rf"(?<=[0-9{_WORD}%){SAID}])\s?{WAVE}\s?(?=[0-9{_WORD}¥$第{SAID}])",
        lambda _: "から",
    ),
    rule(
        "range",
        rf"{START}(?<!-)({AMOUNT})[-–](?={AMOUNT}\s?[{_WORD}つヶケカ{SAID}])",
        lambda match: f"{_number(match[1])}から",
    ),
    rule(
        "serial",
        rf"{START}[0-9]+(?:-[0-9]+){{1,3}}{END}",
        lambda match: "の".join(map(_number, match[0].split("-"))),
    ),
    rule("ordinal", r"(?:(?<![A-Za-z])No\.?|(?<![A-Za-z])#)\s?(?=[0-9])", lambda _: "ナンバー"),
    rule(
        "symbol",
        rf"(?<=[0-9√{SAID}])\s?([+×÷=±−])\s?(?=[-−√0-9])",
        lambda match: _OPERATORS[match[1]],
    ),
    rule("symbol", rf"{ALONE}([-−+±])(?=[√0-9{SAID}])", lambda match: _OPERATORS[match[1]]),
    rule("symbol", "[√№〒℡∞]", lambda match: _SIGNS[match[0]]),
    rule(
        "symbol",
        rf"(?<=[{_WORD}{HIRAGANA}{KATAKANA}ー]) ?& ?(?=[{_WORD}{HIRAGANA}{KATAKANA}ー])",
        lambda _: "アンド",
    ),
    rule(
        "serial",
        rf"{START}[0-9]+(?:\.[0-9]+){{2,}}(?![0-9])",
        lambda match: "点".join(map(_number, match[0].split("."))),
    ),
    rule("decimal", rf"{START}{INTEGER}\.[0-9]+(?![0-9]|\.[0-9])", lambda match: _number(match[0])),
    rule("cardinal", INTEGER, lambda match: _number(match[0])),
)


LANGUAGE = Speaker(
    "ja",
    Rules(_RULES),
    needed=re.compile(rf"[{DIGITS}√№〒℡∞&＆]|{LINKED}|[{_WORD}]\s?{WAVE}\s?[{_WORD}]"),
    before=narrow,
)
