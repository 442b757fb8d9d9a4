"""Chinese: digits and signs become Chinese letters, which `stages.text.hanzi` reads."""

import re

from stages.text.languages import HAN
from stages.text.spoken.asian.han import LONGEST_HANZI, hanzi_number, one_by_one
from stages.text.spoken.asian.links import LINKED, links
from stages.text.spoken.asian.patterns import (
    ALONE,
    AMOUNT,
    DIGITS,
    END,
    INTEGER,
    SAID,
    START,
    amount,
    either,
    narrow,
    pairs,
)
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule, Rules, rule

_MYRIAD = "(?:[百千]?[万亿]+|千|百)?"
_TO = r"\s?[-–—~～〜至到]+\s?"
_DASH = r"\s?(?:[-–~～〜]|—{1,2})\s?"

_CURRENCIES = pairs(
    "$ 美元, US$ 美元, USD 美元, € 欧元, EUR 欧元, £ 英镑, GBP 英镑, ¥ 元, ￥ 元, RMB 元, CNY 元, CN¥ 元, HK$ 港元",
    "HKD 港元, NT$ 新台币, JPY 日元, ₩ 韩元, KRW 韩元, A$ 澳元, AUD 澳元, C$ 加元, CAD 加元, CHF 瑞士法郎, ₽ 卢布",
    "₹ 卢比",
)
_CURRENCY = either(_CURRENCIES)
_UNITS = pairs(
    "km/h 千米每小时, m/s 米每秒, km² 平方千米, km2 平方千米, ㎢ 平方千米, m² 平方米, m2 平方米, ㎡ 平方米",
    "cm² 平方厘米, cm2 平方厘米, mm² 平方毫米, m³ 立方米, m3 立方米, ㎥ 立方米, cm³ 立方厘米, km 千米, ㎞ 千米",
    "m 米, dm 分米, cm 厘米, ㎝ 厘米, mm 毫米, ㎜ 毫米, μm 微米, µm 微米, nm 纳米, kg 千克, ㎏ 千克, g 克, mg 毫克",
    "㎎ 毫克, t 吨, L 升, l 升, mL 毫升, ml 毫升, W 瓦, kW 千瓦, MW 兆瓦, kWh 千瓦时, V 伏, A 安, Hz 赫兹, kHz 千赫",
    "MHz 兆赫, GHz 吉赫, Pa 帕, kPa 千帕, hPa 百帕, MPa 兆帕, dB 分贝, ha 公顷, ms 毫秒, s 秒, min 分钟, h 小时",
    "kcal 千卡, cal 卡, rpm 转每分钟, ℃ 摄氏度, °C 摄氏度, ℉ 华氏度, °F 华氏度, ° 度, Ω 欧, kΩ 千欧, N 牛, J 焦",
    "kJ 千焦, mAh 毫安时, Mbps 兆比特每秒, px 像素",
)
_UNIT = either(_UNITS)
_SIGN_UNITS = "°℃℉㎏㎎㎜㎝㎞㎡㎥㎢Ω"
_OPERATORS = {"+": "加", "-": "减", "−": "减", "×": "乘", "x": "乘", "*": "乘", "÷": "除以", "=": "等于", "±": "正负"}
_OPERATORS |= {"<": "小于", ">": "大于", "≤": "小于等于", "≥": "大于等于", "≈": "约等于", "≠": "不等于"}
_SIGNS = {"-": "负", "−": "负", "－": "负", "+": "正", "±": "正负", "√": "根号", "№": "第", "∞": "无穷大", "§": "第"}
_TWO = re.compile(
    "[个個位名只隻张張条條本把件辆輛台棵朵匹头頭双雙对對副套家间間层層座栋棟艘架场場次遍趟回种種类類款口杯瓶碗盘盤盒箱袋包块塊片颗顆粒根支枝首篇部"
    "封份幅段句节節门門年天周岁歲秒倍元米吨噸升克里斤亩畝步队隊组組批届人代岸侧側边邊端国國省市县縣校方派点點钟鐘分万亿億千]"
    "|小时|小時|星期|礼拜|禮拜|公里|公斤|公顷|公分|千米|千克|厘米|毫米|平方|立方|美元|英镑|欧元|日元|港元|刻钟|刻鐘|克拉|英里|海里|分钟|分鐘"
)
"""What 2 is 两 before."""
_NOT_TWO = re.compile("年级|年級|年生|分之|里|部分|号|门课|班|等|层楼|级|类人|元[一二]|[百千万亿]?分之|次方|次元|维")
"""What begins so and follows 二 all the same."""
_BY_DIGIT = re.compile(
    "[A-Za-z]-?$|(?:拨打|拨|致电|热线|电话|号码|编号|代码|邮编|尾号|QQ|航班|车次|房间|房号|学号|工号|账号|帐号|卡号|单号|微信号|手机号|QQ号|密码|验证码)"
    "[是为:：，, ]?$"
)


def _number(digits: str) -> str:
    """Returns an amount in Chinese letters."""
    return amount(digits, hanzi_number, one_by_one, "点", LONGEST_HANZI)


def _plain(digits: str) -> str:
    """Returns a number of which zeros before it aren't said, as in 08月."""
    return hanzi_number(int(digits))


def _counted(digits: str, text: str, at: int) -> str:
    """Returns a number with 两 for 2 where a measure word follows it in a text."""
    words = _number(digits)
    return "两" if words == "二" and _TWO.match(text, at) and not _NOT_TWO.match(text, at) else words


def _cardinal(match: re.Match[str]) -> str:
    text, before = match.string, match.string[: match.start()]
    if len(match[0]) > 2 and "," not in match[0] and _BY_DIGIT.search(before[-8:]):
        return one_by_one(match[0])
    if match[0] == "2" and re.search("[A-Za-z第初周期十老]$", before):
        return "二"
    return _counted(match[0], text, match.end())


def _date(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31) or (len(match["year"]) < 4 and match["sep"] == "-"):
        return None
    year = match["year"].zfill(2)
    return f"{one_by_one(year)}年{_plain(match['month'])}月{_plain(match['day'])}日"


def _year(match: re.Match[str]) -> str | None:
    """Reads a year digit by digit, but not a number of years."""
    text, digits = match.string, match["year"]
    before, after = text[: match.start()], text[match.end() :]
    counted = re.match("(?:的?历史|以[来上内前后]|[来多]|之[久间内前后]|[前后](?!$)|时间|内|间)", after) is not None
    era = before.endswith(("公元", "公元前", "西元", "西元前", "前"))
    if not era and (
        len(digits) == 3 or (len(digits) == 4 and (digits.endswith("000") and (digits != "2000" or counted)))
    ):
        return None
    if len(digits) == 2 and not (
        digits.startswith("0") or (digits >= "70" and not counted) or re.match("[0-9]{1,2}月", after)
    ):
        return None
    if len(digits) == 4 and not era and not "1000" < digits < "3000":
        return None
    if len(digits) == 1:
        return None
    return f"{one_by_one(digits)}年"


def _decade(match: re.Match[str]) -> str:
    return f"{one_by_one(match['year'])}年{'代' if match[0].endswith('s') else ''}"


def _era_year(match: re.Match[str]) -> str:
    era = "公元前" if match["era"].lower().startswith("b") else "公元"
    month = f"{_plain(match['month'])}月" if match["month"] else ""
    return f"{era}{one_by_one(match['year'])}{'年'}{month}"


def _years(match: re.Match[str]) -> str:
    return f"{one_by_one(match[1])}到{one_by_one(match[2])}年"


def _month_or_day(match: re.Match[str]) -> str | None:
    value = int(match[1])
    return f"{_plain(match[1])}{match[2]}" if 1 <= value <= 31 else None


def _clock(match: re.Match[str]) -> str | None:
    hour, minute, second = match["hour"], match["minute"], match["second"]
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 59:
        return None
    words = ("两" if int(hour) == 2 else _plain(hour)) + "点"
    if int(minute) or second:
        words += f"{_plain(minute)}分"
    return words + (f"{_plain(second)}秒" if second else "")


def _score(match: re.Match[str]) -> str:
    return f"{_plain(match[1])}比{_plain(match[2])}"


def _result(match: re.Match[str]) -> str | None:
    """Returns the result of a game, of which the first number is the larger: 3-1."""
    if int(match[1]) <= int(match[2]) or _CALCULATED.match(match.string, match.end()):
        return None
    return _score(match)


_CALCULATED = re.compile(r"\s?[=＝]")


def _fraction(match: re.Match[str]) -> str:
    whole = f"{_plain(match['whole'])}又" if match["whole"] else ""
    return f"{whole}{_plain(match['below'])}分之{_plain(match['above'])}"


def _percent(match: re.Match[str]) -> str:
    share = {"%": "百分之", "％": "百分之", "‰": "千分之"}[match["sign"]]
    sign = "负" if match["minus"] else ""
    if match["last"]:
        return f"{sign}{share}{_number(match['first'])}到{share}{_number(match['last'])}"
    return f"{sign}{share}{_number(match['first'])}"


def _money(match: re.Match[str]) -> str:
    name, amount = _CURRENCIES[match["sign"]], match["amount"]
    whole, _, cents = amount.partition(".")
    if name == "元" and len(cents) == 2 and not match["myriad"]:
        tens, ones = cents[0], cents[1]
        small = (f"{one_by_one(tens)}角" if tens != "0" else "零" * (ones != "0")) + (
            f"{one_by_one(ones)}分" if ones != "0" else ""
        )
        return f"{_counted(whole, '元', 0)}元{small}"
    amount = amount.rstrip("0").rstrip(".") if cents else amount
    words = _counted(amount, f"{match['myriad']}元", 0)
    return f"{words}{match['myriad']}{name}"


def _phone(match: re.Match[str]) -> str:
    plus = "加" if match[0].startswith("+") else ""
    return plus + " ".join(one_by_one(part) for part in re.findall("[0-9]+", match[0]))


def _range(match: re.Match[str]) -> str:
    return f"{_counted(match[1], match.string, match.end())}到"


def _per(match: re.Match[str]) -> str:
    return f"{match[1]}每{_UNITS.get(match[2], match[2])}"


def _version(match: re.Match[str]) -> str:
    parts = match[0].split(".")
    return "点".join(map(one_by_one if len(parts) == 4 else _number, parts))


def _measure(match: re.Match[str]) -> str:
    return f"{_counted(match[1], _UNITS[match[3]], 0)}{match[2]}{_UNITS[match[3]]}"


_WEB = pairs(
    ". 点, @ 艾特, / 斜杠, - 横杠, _ 下划线, : 冒号, ? 问号, = 等于, & 和, # 井号, % 百分号, + 加号, ~ 波浪号",
)
_RULES: tuple[Rule, ...] = (
    *links(_WEB, one_by_one, "话题"),
    rule(
        "telephone",
        r"(?<=[打拨叫])(?:1(?:10|14|19|20|22)|911|999|12[0-9]{3})(?![0-9]|[.,][0-9]|[个次元年人天块万])",
        lambda match: one_by_one(match[0]),
    ),
    rule(
        "telephone",
        rf"{ALONE}\+86[- ]?1[0-9]{{10}}(?![0-9])|{ALONE}1[3-9][0-9]{{9}}(?![0-9])",
        _phone,
    ),
    rule(
        "telephone",
        rf"{ALONE}(?:\+[0-9]{{1,3}}|0[0-9]{{2,3}}|[48]00|1[3-9][0-9])[- ][0-9]{{3,4}}[- ]?[0-9]{{3,4}}{END}",
        _phone,
    ),
    rule(
        "date",
        rf"{START}(?P<year>[12][0-9]{{3}}|[0-9]{{2}}(?![-·]))(?P<sep>[-/.·])(?P<month>0?[1-9]|1[0-2])(?P=sep)(?P<day>[0-3]?[0-9]){END}(?![/%-])",
        _date,
    ),
    rule(
        "date",
        r"(?<![0-9])(?P<year>[0-9]{1,4})年?(?:(?P<month>[0-9]{1,2})月)?\s?(?P<era>[Aa]\.?[Dd]\.?|[Bb]\.?[Cc]\.?)(?![A-Za-z])",
        _era_year,
    ),
    rule("date", rf"(?<![0-9.])([12][0-9]{{3}}){_TO}([12][0-9]{{3}})年", _years),
    rule("date", rf"{START}(?P<year>[0-9]{{1,4}})年(?!级|級|龄|代)", _year),
    rule("date", rf"{START}(?P<year>1[0-9]{{2}}0|20[0-9]0)(?:年(?=代)|s(?![A-Za-z]))", _decade),
    rule("date", rf"{START}([0-9]{{1,2}})([月日号號])(?!线|楼|门|机|馆)", _month_or_day),
    rule(
        "time",
        rf"{START}(?P<hour>[0-9]{{1,2}})[:：](?P<minute>[0-9]{{2}})(?:[:：](?P<second>[0-9]{{2}}))?(?![:：]?[0-9])",
        _clock,
    ),
    rule("range", r"(?<![0-9:.-])([0-9]{1,3})-([0-9]{1,3})(?![0-9:%％.-])", _result),
    rule("range", r"(?<![0-9:.])([0-9]{1,4})[:：]([0-9]{1,5})(?![0-9:]|\.[0-9])", _score),
    rule(
        "percent",
        rf"(?P<minus>{ALONE}[-−－])?{START}(?P<first>{AMOUNT})(?:[%％]?{_DASH}(?P<last>{AMOUNT}))?\s?(?P<sign>[%％‰])",
        _percent,
    ),
    rule(
        "fraction",
        r"(?<![0-9/])(?<![0-9][.,])(?:(?P<whole>[0-9]+)[ 又])?"
        r"(?P<above>[0-9]{1,4})/(?P<below>[1-9][0-9]{0,3})(?![0-9/])",
        _fraction,
    ),
    rule("money", rf"(?P<sign>{_CURRENCY})\s?(?P<amount>{AMOUNT})(?P<myriad>{_MYRIAD})(?![0-9])", _money),
    rule(
        "range",
        rf"{START}(?<![0-9]-)({AMOUNT}){_DASH}"
        rf"(?=[{SAID}]|{AMOUNT}(?:\s?(?:{_UNIT}))?(?:[{HAN}\s，。,.!?、)]|$))",
        _range,
    ),
    rule(
        "measure",
        rf"{START}({AMOUNT})({_MYRIAD})\s?({_UNIT})(?:(?<=[{_SIGN_UNITS}])|(?<=[ANJTsh])(?<![a-zA-Zμµ][ANJTsh])(?![{HAN}A-Za-z0-9/²³])|(?<![ANJTsh])(?![A-Za-z0-9/²³])|(?<=[a-zA-Z/][ANJTsh])(?![A-Za-z0-9/²³]))",
        _measure,
    ),
    rule(
        "measure",
        rf"(?<=[0-9{SAID}])([元块角分人次个吨]?)/({_UNIT}|[斤公千克个人次天小年月日平米吨台件只张位份周])",
        _per,
    ),
    rule(
        "measure",
        r"(?<![0-9.])([0-9])米([0-9]{2})(?![0-9.厘分公毫])",
        lambda match: f"{_counted(match[1], '米', 0)}米{one_by_one(match[2])}",
    ),
    rule(
        "range",
        rf"(?<=[{SAID}日月年号时点分岁人元]){_DASH}(?=[0-9{SAID}])|(?<=[{SAID}日月年号])[~～〜](?=[{HAN}])"
        rf"|(?<=[周期拜][一二三四五六日天]){_DASH}(?=[周星礼])",
        lambda _: "到",
    ),
    rule(
        "serial",
        r"(?<![0-9.])[0-9]{3,4}(?=号?(?:房|室|教室|病房|包厢|航班|次列车|路公交|国道|省道))",
        lambda match: one_by_one(match[0]),
    ),
    rule("date", r"(?<![0-9点分:])[0-9][05](?=后(?![天面来续边]))", lambda match: one_by_one(match[0])),
    rule("ordinal", r"(?:(?<![A-Za-z])No\.?|(?<![A-Za-z])#|№|§)\s?(?=[0-9])", lambda _: "第"),
    rule("symbol", rf"(?<=[0-9{SAID}])\s?([-−])\s?(?=[0-9.]+\s?=)", lambda match: _OPERATORS[match[1]]),
    rule(
        "symbol",
        rf"(?<=[0-9{SAID}])\s?([+×x*÷±])\s?(?=[-−]?[0-9√{SAID}])",
        lambda match: _OPERATORS[match[1]],
    ),
    rule(
        "symbol",
        rf"(?<=[0-9A-Za-z{SAID}])\s?([=<>≤≥≈≠])\s?(?=[-−]?[0-9√{SAID}])",
        lambda match: _OPERATORS[match[1]],
    ),
    rule("serial", r"(?<=[歼轰运直强教鹰枭舟风十])-(?=[0-9]{1,3}(?![0-9.%％°℃度]))", lambda _: ""),
    rule("symbol", rf"{ALONE}([-−－+±])(?=[√0-9{SAID}])", lambda match: _SIGNS[match[1]]),
    rule("symbol", "[√∞]", lambda match: _SIGNS[match[0]]),
    rule("symbol", rf"(?<=[{HAN}]) ?& ?(?=[{HAN}])", lambda _: "和"),
    rule("decimal", rf"{START}{INTEGER}\.[0-9]+(?!\.?[0-9])", lambda match: _number(match[0])),
    rule("serial", r"[0-9]+(?:\.[0-9]+){2,}", _version),
    rule("cardinal", INTEGER, _cardinal),
)


LANGUAGE = Speaker(
    "zh",
    Rules(_RULES),
    needed=re.compile(f"[{DIGITS}√∞№§&]|{LINKED}|[周期拜][一二三四五六日天] ?[-–—~～〜]+ ?[周星礼]"),
    before=narrow,
)
