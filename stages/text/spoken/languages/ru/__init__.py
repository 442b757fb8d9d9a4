"""Russian: the case of a number is taken from the words around it, where a rule can know it."""

import re
from collections.abc import Sequence

from stages.text.spoken.european.calendar import dates, month_numbers
from stages.text.spoken.european.numbers import LEFT, alternatives
from stages.text.spoken.european.quantities import ended, last_word, measures, money, next_word, plain
from stages.text.spoken.european.romans import ROMAN, numbered
from stages.text.spoken.european.signs import abbreviations, initials, links, needed, plainly, signs
from stages.text.spoken.european.tongue import Quantity, listed
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.ru.numbers import OF_GENITIVE, cardinal, case_behind, ordinal
from stages.text.spoken.languages.ru.places import PLACES, days
from stages.text.spoken.languages.ru.times import TIMES
from stages.text.spoken.languages.ru.words import LATE, NUMBERED, NUMBERS, TONGUE
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTH_NAMES = listed("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_MONTHS = month_numbers(
    "января янв",
    "февраля фев февр",
    "марта мар",
    "апреля апр",
    "мая",
    "июня июн",
    "июля июл",
    "августа авг",
    "сентября сен сент",
    "октября окт",
    "ноября ноя нояб",
    "декабря дек",
)

_OF_DATIVE = frozenset(listed("к ко благодаря согласно"))
_OF_PREPOSITIONAL = frozenset(listed("в во на о об при"))


def _case_of_year(before: str, word: str) -> str:
    """Returns the case of a year from the form of `год` behind it, or from the preposition before it."""
    form = {"год": "n", "года": "g", "годом": "i", "годе": "p"}.get(word, "")
    if form:
        return form
    start = last_word(before)
    if start in _OF_DATIVE or (start == "по" and word == "году"):
        return "d"
    if start in _OF_PREPOSITIONAL or word == "году":
        return "p"
    if start == "по":
        return "a"
    return "g" if start in OF_GENITIVE else "n"


_YEAR_FORMS = {"n": "год", "a": "год", "g": "года", "d": "году", "p": "году", "i": "годом"}


def _year(match: re.Match[str]) -> str | None:
    number, word = int(match["year"]), match["word"].lower()
    if not 0 < number < 2200:
        return None
    case = _case_of_year(match.string[: match.start()], word)
    year = _YEAR_FORMS[case] if word == "г." else match["word"]
    return ended(match, f"{ordinal(number, case)} {year}", capitals=True)


def _years(match: re.Match[str]) -> str | None:
    first, last, word = int(match["first"]), int(match["last"]), match["word"].lower()
    if not 100 <= first < last < 2200:
        return None
    before = last_word(match.string[: match.start()])
    case = {"годы": "n", "годов": "g", "годах": "p", "годам": "d", "годами": "i"}.get(word) or (
        "p" if before in _OF_PREPOSITIONAL else "n"
    )
    several = {"n": "годы", "p": "годах"}
    return ended(
        match,
        f"{ordinal(first, case)} {ordinal(last, case)} {several[case] if word.endswith('.') else match['word']}",
        capitals=True,
    )


def _bare_year(match: re.Match[str]) -> str | None:
    word, behind = match["before"].lower(), match.string[match.end() :]
    following = next_word(behind)
    number = int(match["year"])
    if not 1700 <= number < 2100 or re.search(
        r"(?:ах|ях|ов|ев|ей|ек|ок|ам|ям)$|^(?:тыс|млн|руб|км|кг|чел|раз|лет|штук|тонн)", following
    ):
        return None
    if word in ("с", "до", "после"):
        return None if following and following not in ("по", "до", "и") else f"{match['before']} {ordinal(number, 'g')}"
    if word == "по":
        return f"{match['before']} {ordinal(number, 'a')}" if following in ("", "гг") else None
    return f"{match['before']} {ordinal(number, 'p')}"


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    before, behind = match.string[: match.start()], match.string[match.end() :]
    start = last_word(before)
    alone = (
        "sign" in match.groupdict()
        and not before.strip()
        and not re.search(r"\w", re.sub(r"^\s*(?:г\.|года)", "", behind))
    )
    case = "d" if start in _OF_DATIVE else "a" if start in ("на", "по") else "n" if alone else "g"
    words = f"{ordinal(day, case, 'n')} {_MONTH_NAMES[month - 1]}"
    if not year:
        return ended(match, words)
    return f"{words} {ordinal(int(year), 'g') if int(year) else NUMBERS.digits(year)}"


def _of_year(match: re.Match[str]) -> str:
    return ended(match, f"{match[1]} года", capitals=True)


def _plural_case(words: Sequence[str]) -> str:
    """Returns the case that the ending of a noun behind a number shows, past an adjective; empty without."""
    for word in words:
        for ending, case in (("ами", "i"), ("ями", "i"), ("ах", "p"), ("ях", "p"), ("ам", "d"), ("ям", "d")):
            if word.endswith(ending) and len(word) > len(ending) + 1:
                return case
        if not word.endswith(("ых", "их", "ым", "им", "ыми", "ими")):
            break
    return ""


def _gender(number: int, thing: str) -> str:
    """Returns the gender of one or two things by the ending of their noun; of one also the accusative."""
    if not thing or thing in _NOT_COUNTED or number // 10 % 10 == 1:
        return ""
    if number % 10 == 2:
        return "f" if thing.endswith(("ы", "и", "ые", "ие")) else ""
    if number % 10 != 1:
        return ""
    if thing.endswith(("у", "ю")):
        return "f:a"
    if thing.endswith(("а", "я")) and not thing.endswith("мя"):
        return "f"
    return "n" if thing.endswith(("о", "е", "мя")) else "m"


_NOT_COUNTED = frozenset(listed("и или на за а но из до по не года для к была дня"))


_BETWEEN = re.compile(r"(?<!\w)(?:[Мм]ежду|[Нн]ад|[Пп]еред)(?: [\d\ue000-\uf8ff]+ и)? $")
"""What asks for the instrumental."""


def _agree(number: Quantity, before: str, behind: str) -> str:
    """Returns the gender and case of a number from the preposition before it and the endings behind it."""
    if number.fraction or number.part:
        return ""
    if number.scale:
        return ":g" if case_behind(before) else ""
    if _BETWEEN.search(before):
        return "m:i"
    start = last_word(before)
    words = re.findall(r"[^\W\d_]+", behind[:60])[:2] if behind.startswith(" ") else []
    one = number.whole % 10 == 1 and number.whole % 100 != 11
    if case := _plural_case(words):
        return f"m:{case}"
    thing = words[0] if words else ""
    if start in OF_GENITIVE and not (start in ("с", "со") and one and thing.endswith(("ом", "ем"))):
        return f"{'f' if one and thing.endswith(('ы', 'и')) else 'm'}:g"
    return "m:d" if start in _OF_DATIVE else _gender(number.whole, thing)


_SUFFIXES = {
    "й": ("n", "m"),
    "ый": ("n", "m"),
    "ий": ("n", "m"),
    "ой": ("n", "m"),
    "я": ("n", "f"),
    "ая": ("n", "f"),
    "ья": ("n", "f"),
    "е": ("n", "n"),
    "ое": ("n", "n"),
    "го": ("g", "m"),
    "ого": ("g", "m"),
    "его": ("g", "m"),
    "му": ("d", "m"),
    "ому": ("d", "m"),
    "м": ("p", "m"),
    "ом": ("p", "m"),
    "ым": ("i", "m"),
    "ю": ("a", "f"),
    "ую": ("a", "f"),
    "х": ("g", "*"),
    "ых": ("g", "*"),
    "ые": ("n", "*"),
    "ми": ("i", "*"),
    "ыми": ("i", "*"),
    "ти": ("g", "m"),
    "мя": ("i", "m"),
}


def _suffixed(match: re.Match[str]) -> str | None:
    number, suffix = int(match["number"]), match["suffix"]
    if not number:
        return None
    if suffix in ("х", "ти", "мя") and (number % 10 or suffix == "ти"):
        # A whole number with its ending: 2-х, 5-ти, 3-мя.
        return cardinal(number, "m:i" if suffix == "мя" else "m:g")
    case, gender = _SUFFIXES[suffix]
    behind, start = next_word(match.string[match.end() :]), last_word(match.string[: match.start()])
    if suffix == "е" and not (behind.endswith(("о", "е", "мя")) and number % 10):
        gender = "*"
    if suffix == "м" and start in ("с", "над", "под", "перед", "между", "за"):
        case = "i"
    if suffix in ("й", "ой") and behind.endswith(("ы", "и", "ой", "ей", "е")) and not behind.endswith(("ий", "ый")):
        # An oblique feminine: в 5-й главе, 3-й степени.
        return ordinal(number, "g", "f")
    return ordinal(number, case, "m" if gender == "*" else gender, plural=gender == "*")


_STEMS = {1: "одно", 2: "двух", 3: "трёх", 4: "четырёх", 90: "девяносто", 100: "сто", 1000: "тысяче"}


def _compound(match: re.Match[str]) -> str:
    number = int(match["number"])
    stem = _STEMS.get(number) or cardinal(number, "m:g").replace(" ", "")
    return f"{stem}{match['word']}"


_MALE = listed(
    "Петр Пётр Александр Никола Павел Павл Иван Людовик Карл Генрих Фридрих Вильгельм Наполеон Филипп"
    " Георг Эдуард Рамсес Иоанн Бенедикт Пи Васили"
    " Константин Фердинанд Франциск Франц Густав Кристиан Ричард Алекси Леопольд Оттон Григори Иннокенти"
    " Урбан Климент Юли Сикст Михаил Максимилиан Яков"
)
_FEMALE = listed("Екатерин Елизавет Изабелл Маргарит Мари Анн Клеопатр")
_MALE_CASES = {"": "n", "й": "n", "а": "g", "я": "g", "у": "d", "ю": "d", "ом": "i", "ем": "i", "е": "p", "и": "p"}
_FEMALE_CASES = {"а": "n", "я": "n", "ы": "g", "и": "g", "е": "d", "у": "a", "ю": "a", "ой": "i", "ей": "i"}


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    if match["male"]:
        return f"{match['name']} {ordinal(number, _MALE_CASES[match['male_end']])}"
    return f"{match['name']} {ordinal(number, _FEMALE_CASES[match['female_end']], 'f')}"


_CENTURIES = {
    "век": "n",
    "века": "g",
    "веку": "d",
    "веком": "i",
    "веке": "p",
    "столетие": "n",
    "столетия": "g",
    "столетии": "p",
    "съезд": "n",
    "съезда": "g",
    "съезде": "p",
}


def _century(match: re.Match[str]) -> str | None:
    romans = [from_roman(roman) for roman in re.findall("[IVX]+", match["romans"])]
    word = match["word"].lower()
    if not all(romans):
        return None
    case = _CENTURIES.get(word) or (
        "p" if last_word(match.string[: match.start()]) in ("в", "во") else "g" if len(word) == 2 else "n"
    )
    gender = "n" if word.startswith("столет") else "m"
    written = (
        {"p": "веке", "g": "века", "n": "века"}[case]
        if word == "в."
        else "веках"
        if word == "вв." and case == "p"
        else "века"
        if word == "вв."
        else match["word"]
    )
    return ended(match, f"{' '.join(ordinal(roman, case, gender) for roman in romans)} {written}", capitals=True)


def _world(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    case = {"ая": "n", "ой": "g", "ую": "a"}[match["word"][-2:]]
    return ordinal(number, case, "f") if number else None


def _town(match: re.Match[str]) -> str:
    return "городе" if last_word(match.string[: match.start()]) in ("в", "во") else "город"


_RULES: tuple[Rule, ...] = (
    # espeak-ng reads е where ё isn't written.
    rule(
        "spelling",
        r"(?<!\w)[Чч]етверт(?=(?:ый|ого|ому|ым|ом|ая|ой|ую|ое|ые|ых|ыми)(?!\w))",
        lambda match: f"{match[0][:4]}ёрт",
    ),
    rule("spelling", r"(?<!\w)(?:[Тт]р|[Чч]етыр)ех(?!\w)", lambda match: f"{match[0][:-2]}ёх"),
    *links(NUMBERS),
    rule("abbreviation", r"(?<![\w.])(?<!\d )г\.(?=\s?[А-ЯЁ][а-яё])", _town),
    rule("abbreviation", r"(?<![\w.])(?<!\d )(?<!\d)[Сс]м\.(?=\s)", lambda _: "смотри"),
    rule("abbreviation", r"(?<![\w.])(?:(?<=\b[Нн]а )|(?<=\b[Пп]о ))ул\.(?=\s)", lambda _: "улице"),
    rule("abbreviation", r"(?<![\w.])(?:(?<=\b[Сс] )|(?<=\b[Дд]о ))ул\.(?=\s)", lambda _: "улицы"),
    days("|".join(_MONTH_NAMES)),
    *dates(_MONTHS, _date),
    rule("year", r"([\ue000-\uf8ff])\s?(?:г\.|года(?!\w))", _of_year),
    rule(
        "year",
        rf"{LEFT}(?P<first>\d{{3,4}})\s?[-–—]\s?(?P<last>\d{{3,4}})\s?(?P<word>(?i:гг\.|годы|годов|годами|годах"
        rf"|годам)(?!\w))",
        _years,
    ),
    rule(
        "year",
        rf"{LEFT}(?P<year>\d{{3,4}})(?:-[йм]|-го|-му)?\s?(?P<word>(?i:г\.|году|года|годом|годе|год)(?!\w))",
        _year,
    ),
    rule(
        "year",
        rf"{LEFT}(?P<year>\d{{1,2}})\s?(?P<word>(?i:г\.|году|года|год))(?=\s?(?:до\s)?н\.\s?э\.)",
        _year,
    ),
    # A text that is a year and nothing else.
    rule("year", r"^(?:19\d\d|20[0-2]\d)$", lambda match: ordinal(int(match[0]))),
    rule(
        "year",
        r"(?<!\w)(?P<before>(?i:в|во|с|до|после|по)) (?P<year>\d{4})(?![\w%/-]|[.,:]\d|\s?[-–%°$€₽]|\s\d)",
        _bare_year,
    ),
    *TIMES,
    *abbreviations(TONGUE, NUMBERED, frozenset(("и т. д.", "и т.д.", "и др.", "и т. п.", "и т.п.", "и пр."))),
    *money(NUMBERS),
    rule("ordinal", rf"{LEFT}(?P<number>\d{{1,9}})-?(?P<suffix>{alternatives(_SUFFIXES)})(?!\w)", _suffixed),
    rule(
        "ordinal",
        rf"{LEFT}(?P<number>\d{{1,4}})-(?P<word>(?:лет|этаж|метров|процент|днев|часов|тонн|мест|миллим|килом"
        rf"|килог|минут|мес|недел|кратн|градус|балл|комнат|секунд|ступен|разов|тысяч|миллион|струн|угольн"
        rf"|сантим|класс|рубл|клапан|цилиндр|дюйм|гранн|век|голос|звезд|колес|верст|лист|сторонн|значн)[а-яё]+)",
        _compound,
    ),
    *measures(NUMBERS),
    rule(
        "roman",
        rf"(?<!\w)(?P<name>(?:(?P<male>{alternatives(_MALE)})(?P<male_end>{alternatives(_MALE_CASES)})"
        rf"|(?:{alternatives(_FEMALE)})(?P<female_end>{alternatives(_FEMALE_CASES)}))) (?P<roman>{ROMAN})",
        _monarch,
    ),
    rule(
        "roman",
        r"(?<![\w-])(?P<romans>[IVX]+(?:\s?[-–—]\s?[IVX]+)?)\s(?P<word>вв?\.|(?:век(?:ами|ах|ом|ов|а|у|е)?"
        r"|столети[еяи]|съезд[ае]?)(?!\w))",
        _century,
    ),
    rule("roman", r"(?<!\w)(?P<roman>[IVX]+)(?= (?P<word>(?:[Мм]иров|[Оо]течественн)(?:ая|ой|ую)))", _world),
    PLACES,
    numbered(r"(?i:глав[аые]|том[ае]?|част[ьи]|класс|раздел|групп[аы]|акт|степен[ьи]|тип[аы]?)", cardinal),
    *plain(NUMBERS, _agree),
    rule(
        "abbreviation",
        rf"(?<!\w)(?:{alternatives(LATE)})(?!\w)",
        lambda match: ended(match, LATE[match[0]], capitals=True),
    ),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker(
    "ru",
    Rules(_RULES),
    needed=needed(
        TONGUE,
        r"[IVX]|\b[Чч]етверт|\b(?:[Тт]р|[Чч]етыр)ех\b|\b(?:млн|млрд)\b|№",
        titles=("тыс", "руб", "долл", "г", "см"),
    ),
    before=plainly,
)
