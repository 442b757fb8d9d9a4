"""Korean: numbers in Sino-Korean words, or in native ones where their counter asks for these."""

import re

from stages.text.languages import HANGUL
from stages.text.spoken.asian.hangul import LONGEST, agreeing, native, one_by_one, sino
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

_MYRIAD = "(?:[십백천]?[만억조경]|[백천])"
_LARGE = rf"{AMOUNT}(?:{_MYRIAD}(?:\s?{INTEGER}{_MYRIAD})*(?:\s?{INTEGER})?)?"

_TO_99 = """
개 명 살 마리 권 병 잔 장 사람 가지 그루 송이 켤레 벌 채 자루 군데 곳 줄 쌍 갑 통 접시 그릇 조각 묶음 다발 바퀴
판 끼 봉지 박스 상자 걸음 종류 팀 골 방울 포기 알 모 척 컵 모금 다리 손가락 캔 팩 단어 문장 자리 목숨 식구 남매
형제 자매 아이 학생 친구
"""
_LIMITS = dict.fromkeys(_TO_99.split(), 99) | {
    **{"시간": 24, "대": 20, "번": 20, "돌": 20, "해": 20, "차례": 20, "달": 12, "배": 10, "달러": 0},
}
"""Counters of native numbers, and the largest number that is native before them."""
_NATIVE = either(_LIMITS)
_NOT_COUNTERS = re.compile(
    "개(?:월|국|년|소(?!리)|사|점)|명[령성예]|살[균림]|"
    "대(?:학|회|비|한|로|표|중|형| ?대통령| ?회장| ?국회| ?총리| ?왕| ?이사장)|장[관교군로비애르학]|"
    "권[력리총]|병[원실동]|통[신화]|알[아파]|"
    "번(?:지|길|호|가|국도| ?출구| ?버스| ?문제| ?타자| ?선수| ?홀| ?창구| ?트랙| ?환자)|배[구달]|해[외상]|"
    "판[매사]|모[델든]|벌금|채널|곳간|팀장|골드|자리수|척추|아이디"
)
"""Words that begin like a counter of native numbers."""
_ORDERED = re.compile("(?:제|기호|등번호|시즌|레벨|채널|챕터)\\s?$")
"""Before a number that is said in Sino-Korean words whatever follows."""
_CURRENCIES = pairs(
    "$ 달러, US$ 달러, USD 달러, € 유로, EUR 유로, £ 파운드, GBP 파운드, ¥ 엔, ￥ 엔, JPY 엔, ₩ 원, ￦ 원, KRW 원",
    "CNY 위안, HK$ 홍콩 달러, HKD 홍콩 달러, CAD 캐나다 달러, C$ 캐나다 달러, AUD 호주 달러, A$ 호주 달러",
    "CHF 스위스 프랑, NT$ 대만 달러, SGD 싱가포르 달러, INR 루피, ₹ 루피, RUB 루블, ₽ 루블, VND 동, THB 바트",
    "NZD 뉴질랜드 달러",
)
_CURRENCY = "|".join(
    rf"(?<![A-Za-z]){re.escape(sign)}" if sign[0].isalpha() else re.escape(sign)
    for sign in sorted(_CURRENCIES, key=len, reverse=True)
)
_UNITS = pairs(
    "km/h 킬로미터 퍼 시간, m/s 미터 퍼 초, km/s 킬로미터 퍼 초, km/m 킬로미터 퍼 미터, km² 제곱킬로미터",
    "km2 제곱킬로미터, ㎢ 제곱킬로미터, m² 제곱미터, m2 제곱미터, ㎡ 제곱미터, cm² 제곱센티미터, m³ 세제곱미터",
    "m3 세제곱미터, ㎥ 세제곱미터, km 킬로미터, ㎞ 킬로미터, m 미터, cm 센티미터, ㎝ 센티미터, mm 밀리미터",
    "㎜ 밀리미터, nm 나노미터, μm 마이크로미터, µm 마이크로미터, kg 킬로그램, ㎏ 킬로그램, g 그램, mg 밀리그램",
    "㎎ 밀리그램, t 톤, L 리터, l 리터, ℓ 리터, mL 밀리리터, ml 밀리리터, ㎖ 밀리리터, cc 시시, kcal 킬로칼로리",
    "cal 칼로리, W 와트, kW 킬로와트, MW 메가와트, kWh 킬로와트시, V 볼트, A 암페어, Hz 헤르츠, kHz 킬로헤르츠",
    "MHz 메가헤르츠, GHz 기가헤르츠, KB 킬로바이트, kB 킬로바이트, MB 메가바이트, GB 기가바이트, TB 테라바이트",
    "Mbps 메가비피에스, Gbps 기가비피에스, hPa 헥토파스칼, dB 데시벨, ha 헥타르, ms 밀리초, s 초, min 분, h 시간",
    "rpm 알피엠, ℃ 도, °C 도, ℉ 도, °F 도, ° 도, % 퍼센트, ％ 퍼센트, %p 퍼센트포인트, ‰ 퍼밀, px 픽셀",
    "mAh 밀리암페어시",
)
_UNIT = either(_UNITS)
_SIGN_UNITS = "%％‰°℃℉㎏㎎㎜㎝㎞㎡㎥㎢ℓ㎖"
_OPERATORS = {"+": "더하기", "-": "빼기", "−": "빼기", "×": "곱하기", "x": "곱하기", "*": "곱하기", "÷": "나누기"}
_SIGNS = {"-": "마이너스", "−": "마이너스", "+": "플러스", "±": "플러스마이너스"}
_WEEKDAY = "[월화수목금토일]"
_MONTHS = {6: "유", 10: "시"}


def _number(digits: str) -> str:
    return amount(digits, sino, one_by_one, "점", LONGEST)


def _large(text: str) -> str:
    """Returns a number that is written with some of its powers of ten, such as 1만5000."""
    words = ""
    for digits, unit in re.findall(rf"({AMOUNT})({_MYRIAD})?", text):
        number = _number(digits)
        words += (
            "" if number == "일" and unit and (not words or unit[0] in "백천") and unit[0] in "만백천" else number
        ) + unit
    return words


def _plain(digits: str) -> str:
    return sino(int(digits))


def _month(digits: str) -> str:
    return _MONTHS.get(int(digits), _plain(digits))


def _date(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{_plain(match['year'])}년 {_month(match['month'])}월 {_plain(match['day'])}일"


def _month_of_year(match: re.Match[str]) -> str | None:
    return f"{_month(match[1])}월" if 1 <= int(match[1]) <= 12 else None


def _weekdays(match: re.Match[str]) -> str:
    return f" {match[1]}요일부터 {match[2]}요일" if match[2] else f" {match[1]}요일"


def _from_to(match: re.Match[str]) -> str:
    return f"{match[1]}요일부터 {match[2]}요일"


def _hour(hour: str) -> str:
    """Returns an hour: native words up to twelve, as on a clock's face."""
    value = int(hour)
    return (native(value) if 1 <= value <= 12 else _plain(hour)) + "시"


def _clock(match: re.Match[str]) -> str | None:
    hour, minute, second = match["hour"], match["minute"], match["second"]
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 59:
        return None
    words = _hour(hour)
    if int(minute) or second:
        words += f" {_plain(minute)}분"
    return words + (f" {_plain(second)}초" if second else "")


def _hours(match: re.Match[str]) -> str | None:
    return _hour(match[1]) if int(match[1]) <= 30 else None


def _fraction(match: re.Match[str]) -> str:
    whole = _plain(match["whole"] or "0")
    whole = f"{whole}{agreeing('과', whole)} " if match["whole"] else ""
    above = _plain(match["above"])
    particle = agreeing(match["particle"], above) if match["particle"] else ""
    return f"{whole}{_plain(match['below'])}분의 {'루트 ' if match['root'] else ''}{above}{particle}"


def _money(match: re.Match[str]) -> str:
    name = _CURRENCIES[match["sign"].upper()]
    amount, _, cents = match["amount"].partition(".")
    space = "" if name == "원" else " "
    if name in ("달러", "유로") and len(cents) == 2 and cents.isdigit():
        return f"{_large(amount)} {name}" + (f" {_plain(cents)}{'센트' if int(cents) else ''}" if int(cents) else "")
    return f"{_large(match['amount'])}{space}{name}"


def _phone(match: re.Match[str]) -> str:
    plus = "플러스 " if match[0].startswith("+") else ""
    return plus + " ".join(one_by_one(part, "공") for part in re.findall("[0-9]+", match[0]))


def _counts(number: str, counter: str, text: str, at: int) -> str | None:
    """Returns a number in native words and its counter; None where the number isn't native."""
    value = int(number) if number.isdigit() else 0
    if not 1 <= value <= _LIMITS[counter] or _NOT_COUNTERS.match(text, at) or (counter == "대" and value % 10 == 0):
        return None
    return f"{native(value)} {counter}"


def _counted(match: re.Match[str]) -> str | None:
    before = match.string[: match.start()]
    if _ORDERED.search(before[-6:]):
        return None
    last = _counts(match["last"], match["counter"], match.string, match.start("counter"))
    if last is None or not match["first"]:
        return last
    first = _counts(match["first"], match["counter"], match.string, match.start("counter"))
    return f"{first}에서 {last}" if first else None


def _nth(match: re.Match[str]) -> str:
    value = int(match[1])
    if value == 1:
        return "첫번째"
    return f"{native(value) if value < 100 else _plain(match[1])}번째"


def _operator(match: re.Match[str]) -> str:
    if match[1] != "=":
        return f" {_OPERATORS[match[1]]} "
    return "은 " if match.string[match.start() - 1] in "013678" else "는 "


def _score(match: re.Match[str]) -> str:
    return f"{_plain(match[1])} 대 {_plain(match[2])}"


def _result(match: re.Match[str]) -> str | None:
    """Returns the result of a game, of which the first number is the larger: 3-1."""
    return _score(match) if int(match[1]) > int(match[2]) else None


_WEB = pairs(
    ". 닷, @ 골뱅이, / 슬래시, - 하이픈, _ 언더바, : 콜론, ? 물음표, = 이퀄, & 앤드, # 샵, % 퍼센트, + 플러스, ~ 물결",
)
_RULES: tuple[Rule, ...] = (
    *links(_WEB, one_by_one, "해시태그"),
    rule(
        "date",
        rf"{START}(?:3\.1|4\.19|5\.18|6\.25|8\.15)(?=\s?(?:절|혁명|의거|민주|전쟁|사변|광복|독립|운동))",
        lambda match: one_by_one(match[0].replace(".", "")),
    ),
    rule(
        "telephone",
        rf"{ALONE}(?:\+[0-9]{{1,3}}[- ][0-9]{{1,3}}|0[0-9]{{1,2}}|1[5-9][0-9]{{2}})"
        rf"[- )](?:[0-9]{{3,4}}[- ])?[0-9]{{4}}{END}",
        _phone,
    ),
    rule(
        "telephone",
        rf"{ALONE}(?:11[24569]|120|911)(?=(?:번?(?:에|으로|로|을|를))?\s?(?:전화|신고|연락))",
        lambda match: one_by_one(match[0]),
    ),
    rule("telephone", rf"{ALONE}01[016789][0-9]{{7,8}}(?![0-9])", _phone),
    rule(
        "date",
        rf"{START}(?P<year>[12][0-9]{{3}})(?P<sep>[-/.])\s?(?P<month>[01]?[0-9])(?P=sep)\s?(?P<day>[0-3]?[0-9])\.?(?![0-9])",
        _date,
    ),
    rule("date", rf"{START}(?P<month>[01]?[0-9])/(?P<day>[0-3]?[0-9])/(?P<year>[12][0-9]{{3}}){END}", _date),
    rule("date", rf"{START}([0-9]{{1,2}})월(?!등|드)", _month_of_year),
    rule("date", rf"{START}([0-9])·([0-9]{{1,2}})(?![0-9])", lambda match: one_by_one(match[1] + match[2])),
    rule("date", rf"(?<=일)\s?[(（]({_WEEKDAY})(?:요일)?(?:{WAVE}({_WEEKDAY})(?:요일)?)?[)）]", _weekdays),
    rule("range", rf"(?<=[{SAID}년월일])\s?(?:{WAVE}|[-–])\s?(?=[0-9{SAID}]|다음)", lambda _: " 부터 "),
    rule("range", rf"(?<![{HANGUL}])({_WEEKDAY}){WAVE}({_WEEKDAY})(?![{HANGUL}])", _from_to),
    rule(
        "range",
        rf"{START}([0-9]{{1,4}})\s?{WAVE}\s?(?=[0-9]{{1,4}}(?:년|월|일|세기))",
        lambda match: f"{_plain(match[1])} 부터 ",
    ),
    rule(
        "time",
        rf"{START}(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}))?(?![:0-9])",
        _clock,
    ),
    rule(
        "time",
        rf"{START}([0-9]{{1,2}})시(?!간|리즈|즌|스템|도|집|험|장|민|내|대|트|설|각|선|력|작|절)",
        _hours,
    ),
    rule("time", rf"{START}(0[0-9])(?=[분초일])", lambda match: _plain(match[1])),
    rule(
        "fraction",
        r"(?<![0-9/])(?<![0-9][.,])(?:(?P<whole>[0-9]+)\s?[과와 ]\s?)?(?P<root>√)?"
        r"(?P<above>[0-9]{1,4})/(?P<below>[1-9][0-9]{0,3})(?![0-9/])"
        rf"(?:(?P<particle>이|가|은|는|을|를|과|와|으로|로)(?![{HANGUL}]))?",
        _fraction,
    ),
    rule("money", rf"(?P<sign>{_CURRENCY})\s?(?P<amount>{_LARGE})(?![0-9])", _money, ignore_case=True),
    rule(
        "measure",
        rf"(?<=[0-9{SAID}만천백])\s?({_UNIT})(?:(?<=[{_SIGN_UNITS}])|(?<=%p)|(?![A-Za-z0-9/²³]))",
        lambda match: f" {_UNITS[match[1]]}",
    ),
    rule("score", rf"{START}(?<!-)([0-9]{{1,3}})-([0-9]{{1,3}})(?![0-9:-]|[.,][0-9]|\s?=)", _result),
    rule("score", rf"{START}([0-9]{{1,3}})(?:\s?대\s?|:)([0-9]{{1,3}})(?![0-9:]|[.,][0-9])", _score),
    rule("ordinal", rf"{START}([0-9]{{1,20}})\s?번째", _nth),
    rule(
        "cardinal",
        rf"{START}(?:(?P<first>[0-9]{{1,2}})(?:{_NATIVE})?\s?[-~～〜]\s?)?(?P<last>[0-9]{{1,2}})\s?(?P<counter>{_NATIVE})",
        _counted,
    ),
    rule("range", rf"(?<=[0-9{SAID}만천백억%도])\s?{WAVE}\s?(?=[0-9{SAID}])", lambda _: "에서 "),
    rule(
        "range",
        rf"{START}(?<!-)({AMOUNT})[-–](?={AMOUNT}\s?[{HANGUL}{SAID}])",
        lambda match: f"{_number(match[1])}에서 ",
    ),
    rule("symbol", rf"(?<=[0-9{SAID}])\s?([-−])\s?(?=[0-9.]+\s?=)", _operator),
    rule(
        "serial",
        rf"{START}[0-9]+(?:-[0-9]+){{1,3}}{END}",
        lambda match: " 다시 ".join(map(_number, match[0].split("-"))),
    ),
    rule("ordinal", r"(?:(?<![A-Za-z])No\.?|№|(?<![A-Za-z0-9#&])#)\s?(?=[0-9])", lambda _: "넘버 "),
    rule("symbol", rf"(?<=[0-9{SAID}])\s?([+×x*÷=])\s?(?=[-−]?[0-9√{SAID}])", _operator),
    rule("symbol", rf"{ALONE}([-−+±])(?=[√0-9{SAID}])", lambda match: f"{_SIGNS[match[1]]} "),
    rule("symbol", rf"√(?=[0-9{SAID}])", lambda _: "루트 "),
    rule("symbol", rf"(?<=[{HANGUL}]) ?& ?(?=[{HANGUL}])", lambda _: " 앤드 "),
    rule(
        "cardinal",
        rf"{START}{AMOUNT}{_MYRIAD}(?:\s?{INTEGER}{_MYRIAD})*(?:\s?{INTEGER}(?![.,]?[0-9]))?",
        lambda match: _large(match[0]),
    ),
    rule(
        "serial",
        rf"{START}[0-9]+(?:\.[0-9]+){{2,}}(?![0-9])",
        lambda match: "점".join(map(_number, match[0].split("."))),
    ),
    rule("decimal", rf"{START}{INTEGER}\.[0-9]+(?!\.?[0-9])", lambda match: _number(match[0])),
    rule("cardinal", INTEGER, lambda match: _number(match[0])),
    rule("range", rf"(?<=[{SAID}])[-–](?=[{SAID}])", lambda _: "에서 "),
)

_BESIDE = re.compile(f"(?<=[{HANGUL}])(?<![제십백천만억조경])(?=√?[0-9])")
"""Where a space is missing between a word and a number."""


def _before(text: str) -> str:
    return _BESIDE.sub(" ", narrow(text))


LANGUAGE = Speaker(
    "ko",
    Rules(_RULES),
    needed=re.compile(rf"[{DIGITS}№]|{LINKED}|[{HANGUL}] ?& ?[{HANGUL}]|{_WEEKDAY}{WAVE}{_WEEKDAY}"),
    before=_before,
)
