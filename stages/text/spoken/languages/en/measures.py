"""Measures: numbers with units, percent, degrees, feet and inches, dimensions."""

import re

from stages.text.spoken.languages.en.numbers import FRACTIONS as PARTS
from stages.text.spoken.languages.en.numbers import (
    INTEGER,
    MINUS,
    NUMBER,
    SCALE,
    START,
    VULGAR,
    cardinal,
    counted,
    scaled,
    spoken,
)
from stages.text.spoken.languages.en.sentences import STARTER, ends_after, is_adjective
from stages.text.spoken.rules import gated, having, rule


def _table(rows: str) -> dict[str, tuple[str, str]]:
    """Returns singular and plural by symbol. A row: symbols, the singular, and the plural if it isn't one with `s`."""
    found: dict[str, tuple[str, str]] = {}
    for row in rows.strip().splitlines():
        symbols, one, *more = (cell.strip() for cell in row.split("|"))
        found |= dict.fromkeys(symbols.split(), (one, more[0] if more else f"{one}s"))
    return found


_UNITS = _table("""
kg kgs | kilogram
g | gram
mg | milligram
µg μg mcg | microgram
t | tonne
lb lbs lb. lbs. | pound
oz oz. | ounce
km kms | kilometer
m | meter
cm | centimeter
mm | millimeter
µm μm | micrometer
nm | nanometer
mi mi. | mile
yd yd. yds | yard
ft ft. | foot | feet
km/h kph kmh km/hr | kilometer per hour | kilometers per hour
mph | mile per hour | miles per hour
m/s | meter per second | meters per second
m/s² m/s2 m/s^2 | meter per second squared | meters per second squared
mpg | mile per gallon | miles per gallon
ha | hectare
l L | liter
ml mL | milliliter
cl cL | centiliter
dl dL | deciliter
gal gal. | gallon
tbsp tbsp. tbsps | tablespoon
tsp tsp. tsps | teaspoon
pt pt. | pint
qt qt. | quart
W | watt
kW | kilowatt
MW | megawatt
GW | gigawatt
Wh | watt hour
kWh kwh | kilowatt hour
MWh | megawatt hour
V | volt
mV | millivolt
kV | kilovolt
mA | milliampere
mAh | milliampere hour
Ω | ohm
kΩ | kiloohm
Hz hz | hertz | hertz
kHz khz KHz | kilohertz | kilohertz
MHz Mhz mhz | megahertz | megahertz
GHz Ghz ghz | gigahertz | gigahertz
THz | terahertz | terahertz
dB db | decibel
KB kB kb Kb | kilobyte
MB | megabyte
GB gb | gigabyte
TB tb | terabyte
PB | petabyte
KiB | kibibyte
MiB | mebibyte
GiB | gibibyte
Mb | megabit
Gb | gigabit
kbps Kbps kb/s kbit/s | kilobit per second | kilobits per second
Mbps mbps Mb/s Mbit/s | megabit per second | megabits per second
Gbps gbps Gb/s Gbit/s | gigabit per second | gigabits per second
MB/s MBps | megabyte per second | megabytes per second
GB/s | gigabyte per second | gigabytes per second
MP | megapixel
s sec secs sec. secs. | second
ms msec | millisecond
µs μs | microsecond
ns | nanosecond
min mins min. mins. | minute
h hr hrs hr. hrs. | hour
in. | inch | inches
wk wks | week
mo mos | month
yr yrs yr. yrs. | year
rpm | revolution per minute | revolutions per minute
bpm | beat per minute | beats per minute
fps | frame per second | frames per second
dpi | dot per inch | dots per inch
kcal | kilocalorie
cal | calorie
J | joule
kJ | kilojoule
eV | electron volt
N | newton
Pa | pascal
kPa | kilopascal
hPa | hectopascal
MPa | megapascal
psi | pound per square inch | pounds per square inch
mmHg | millimeter of mercury | millimeters of mercury
hp | horsepower | horsepower
ppm | part per million | parts per million
ppb | part per billion | parts per billion
px | pixel
mol | mole
lm | lumen
sq.ft sqft sq.ft. | square foot | square feet
°C ºC ℃ | degree Celsius | degrees Celsius
°F ºF ℉ | degree Fahrenheit | degrees Fahrenheit
°K | degree Kelvin | degrees Kelvin
° º | degree
% | percent | percent
‰ | per mille | per mille
""")
_STREET = re.compile(rf"\.? (?:(?!{STARTER}\b)[A-Z][a-z]|\d+(?:st|nd|rd|th)\b)")
"""After the north or west of an address: `12 N. Main`."""
_ROUND = re.compile(r"1(?:,000)+")
"""With an s behind it a plural: `1,000s of people`."""
_SPACED = {"N", "J", "t", "pt", "qt", "MP", "Pa"}
"""Letters that mean something else in names such as `5B`: units only with a space or after a decimal."""
_BARE = {"sq": "square", "cu": "cubic"}
_LONE = ("kg", "km", "cm", "lbs", "kWh", "kHz", "MHz", "GHz", "mph", "mL", "ml", "mmHg")
"""Units that are read as such even without a number."""
_POWERS = {"2": "square", "²": "square", "^2": "square", "3": "cubic", "³": "cubic", "^3": "cubic"}
_LENGTHS = ("km", "m", "cm", "mm", "ft", "in", "mi", "yd")
_UNIT = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_END_OF_UNIT = r"(?![\w²³^$])(?!['’][a-rt-z])"
_AREA = rf"(?:(?P<length>{'|'.join(_LENGTHS)})(?P<power>\^?[23]|[²³]))"
_NAMED_AREA = r"(?:(?P<kind>sq|cu)\.? ?(?P<of>ft|in|mi|m|km|cm|yd)\b\.?)"
_PER = rf"(?:/(?P<per>{_UNIT}|in|person|capita|day|week|month|year|hour|minute|second){_END_OF_UNIT})?"
_INCH = {"in": ("inch", "inches")}
_MEASURE = rf"(?P<gap> ?|-)(?:{_AREA}|{_NAMED_AREA}|(?P<unit>{_UNIT})){_PER}{_END_OF_UNIT}"
_TO = r" ?[-–—] ?| to "


def _unit(match: re.Match[str], *, one: bool) -> str | None:
    """Returns the unit of a measure in words; None if it is none."""
    name = _name(match)
    if name is None:
        return None
    said = name[0] if one else name[1]
    if match["per"]:
        per = match["per"]
        said += f" per {(_UNITS.get(per) or _INCH.get(per) or (per, ''))[0]}"
    return said


def _name(match: re.Match[str]) -> tuple[str, str] | None:
    """Returns the singular and the plural of a measure's unit."""
    if length := match["length"] or match["of"]:
        power = _POWERS[match["power"]] if match["power"] else _BARE[match["kind"]]
        one, more = _UNITS.get(length) or _INCH[length]
        return f"{power} {one}", f"{power} {more}"
    return _UNITS[match["unit"]]


def _measure(match: re.Match[str]) -> str | None:
    number, unit = match["number"], match["unit"]
    whole = number.isdecimal()
    if unit in _SPACED and match["gap"] != " " and whole:
        return None
    if unit == "s" and not match["gap"] and _ROUND.fullmatch(number):
        return None
    if unit in ("N", "W") and whole and _STREET.match(match.string, match.end()):
        return None
    if unit in ("s", "m") and match["gap"] == " " and match.string[match.end() : match.end() + 1] in ("'", "’"):
        return None
    adjective = match["unit"] != "%" and (match["gap"] == "-" or (not match["first"] and is_adjective(match)))
    said = _unit(match, one=number == "1" or adjective)
    return said and f"{'minus ' if match['minus'] else ''}{_before(match)}{_figure(match)} {said}{_stop(match)}"


def _stop(match: re.Match[str]) -> str:
    return "." if match[0].endswith(".") and ends_after(match) else ""


def _figure(match: re.Match[str]) -> str:
    return scaled(match["number"], match["scale"]) if match["scale"] else spoken(match["number"])


def _before(match: re.Match[str]) -> str:
    if not match["first"]:
        return ""
    first = f"{spoken(match['first'])}"
    if match["first_unit"]:
        one, more = _UNITS[match["first_unit"]]
        first += f" {one if match['first'] == '1' else more}"
    return f"{first} to "


def _mixed(match: re.Match[str]) -> str | None:
    """Returns a measure whose number has a fraction: `2½ kg`, `1/2 mi`."""
    part = match["fraction"]
    said = next((part_rule.say(found) for part_rule in PARTS if (found := part_rule.pattern.fullmatch(part))), None)
    if said is None or (match["unit"] in _SPACED and match["gap"] != " "):
        return None
    alone = part[0] in VULGAR or (" " not in part and "-" not in part and "/" in part)
    unit = _unit(match, one=match["gap"] == "-")
    if alone:
        unit = f"of a {_unit(match, one=True)}" if match["gap"] != "-" else unit
        said = said.replace("one half", "half") if match["gap"] != "-" else said
        unit = unit.removeprefix("of ") if unit and said == "half" else unit
    return unit and f"{said} {unit}"


def _dimensions(match: re.Match[str]) -> str:
    """Returns dimensions: `2x8`, `3 × 4 × 5`; a unit after them is read as of a number."""
    return " by ".join(spoken(part) for part in re.findall(NUMBER, match[0]))


def _dimensions_with_unit(match: re.Match[str]) -> str | None:
    unit = _unit(match, one=False)
    return unit and f"{' by '.join(spoken(part) for part in re.findall(NUMBER, match['sides']))} {unit}"


def _feet(match: re.Match[str]) -> str | None:
    inches = int(match["inches"])
    if inches > 11:
        return None
    said = f"{_counted(int(match['feet']), 'foot', 'feet')} {_counted(inches, 'inch', 'inches')}"
    return said + _stop(match)


def _inches(match: re.Match[str]) -> str | None:
    quotes = match.string.count('"')
    if match["sign"] == '"' and (quotes % 2 == 0 or match.string[: match.start()].count('"') % 2):
        return None
    return f"{spoken(match['number'])} {'inch' if match['number'] == '1' else 'inches'}"


def _prime(match: re.Match[str]) -> str:
    return _counted(int(match["number"]), "foot", "feet")


def _position(match: re.Match[str]) -> str:
    names = {
        "°": "degree",
        "º": "degree",
        "′": "minute",
        "'": "minute",
        "’": "minute",
        "″": "second",
        '"': "second",
        "”": "second",
    }
    said = [
        _counted_text(number, names[sign]) for number, sign in re.findall(r"(\d+(?:\.\d+)?) ?([°º′'’″\"”])", match[0])
    ]
    where = {"N": "north", "S": "south", "E": "east", "W": "west"}.get(match["where"] or "", "")
    return f"{' '.join(said)} {where}".strip()


def _counted_text(number: str, name: str) -> str:
    return f"{spoken(number)} {name}{'' if number == '1' else 's'}"


def _counted(number: int, one: str, more: str) -> str:
    return f"{cardinal(number)} {one if number == 1 else more}"


def _percent_range(match: re.Match[str]) -> str:
    return f"{spoken(match['first'])} to {spoken(match['number'])} percent"


def _lone(match: re.Match[str]) -> str:
    return _UNITS[match[0]][1]


def _per_unit(match: re.Match[str]) -> str:
    return f"{counted(match['number'])} per {_UNITS[match['per']][0]}"


_FIRST = rf"(?:(?P<first>{NUMBER})(?: ?(?P<first_unit>{_UNIT}))?(?:{_TO})(?=[\d.]))?"
FRACTIONS = (
    rule("measure", rf"{START}(?P<fraction>(?:\d+[ -]?)?[{VULGAR}]|(?:\d+[ -])?\d\d?/\d\d?){_MEASURE}", _mixed),
)
"""Of numbers with a fraction; before the others."""
_WITH_UNIT = rf"\d(?: {SCALE})?[ -]?(?:(?:{_UNIT}|{'|'.join(_LENGTHS)})(?![A-Za-z])|sq|cu)"
RULES = (
    *having(
        "°º",
        rule(
            "measure",
            r"(?<!\w)\d{1,3}(?:\.\d+)?[°º] ?(?:\d\d?(?:\.\d+)?[′'’] ?)(?:\d\d?(?:\.\d+)?[″\"”] ?)?(?P<where>[NSEW]\b)?",
            _position,
        ),
        rule("measure", r"(?<!\w)\d{1,3}(?:\.\d+)?[°º] ?(?P<where>[NSEW])\b", _position),
    ),
    *gated(r"\d[′'’]", rule("measure", r"(?<![\w.])(?P<feet>\d{1,2})[′'’] ?(?P<inches>\d\d?)(?:[″\"”]|''|’’)", _feet)),
    *gated(
        r"\d ?f",
        rule("measure", r"(?<![\w.])(?P<feet>\d{1,3}) ?(?:ft|feet|foot)\.? ?(?P<inches>\d\d?) ?in\b\.?", _feet),
    ),
    *gated(r"\d[′'’]", rule("measure", r"(?<![\w.])(?P<feet>\d)[′'’](?P<inches>\d\d?)(?!\w)", _feet)),
    *gated(r"\d[″\"]", rule("measure", rf"{START}(?P<number>{NUMBER})(?P<sign>[″]|\"(?= ?[a-z]))", _inches)),
    *gated(
        r"\d[′'’]",
        rule("measure", r"(?<![\w.])(?P<number>\d+)(?:′|['’](?= (?:tall|long|wide|high|deep)\b))", _prime),
    ),
    *gated(
        _WITH_UNIT,
        *gated(
            r"\d ?[x×]",
            rule("measure", rf"{START}(?P<sides>{NUMBER}(?: ?[x×] ?{NUMBER})+){_MEASURE}", _dimensions_with_unit),
        ),
        rule(
            "measure",
            rf"{START}(?P<minus>{MINUS})?{_FIRST}(?P<number>{NUMBER})(?: (?P<scale>{SCALE}))?{_MEASURE}",
            _measure,
        ),
    ),
    *having(
        "/",
        rule("measure", rf"{START}(?P<number>{INTEGER})/(?P<per>kg|km|lb|oz|mi|min|hr|h|s|day|week)\b", _per_unit),
    ),
    *gated(r"\d ?x", rule("range", rf"{START}(?!0x){NUMBER}(?: ?x ?{NUMBER})+(?!\w)", _dimensions)),
)
LONE = (
    rule("measure", rf"(?<![\w/])(?:{'|'.join(_LONE)}|km/h|m/s|(?:(?<= in )|(?<= per )|(?<=\())mm)(?![\w/.])", _lone),
)
"""Units without a number."""
