"""Russian: the case of a number is taken from the words around it, where a rule can know it."""

import re
from functools import lru_cache

from num2words import num2words

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, Numbers, alternatives
from stages.text.spoken.european.quantities import ended, last_word, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, initials, links, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule


@lru_cache(4096)
def _cardinal(number: int, gender: str) -> str:
    """Returns a number in words; a gender may be followed by a case: `f:g` is the genitive of feminines."""
    kind, _, case = gender.partition(":")
    said: str = num2words(number, lang="ru", gender=kind or "m", case=case or "n", animate=False)
    return said


@lru_cache(4096)
def _ordinal(number: int, case: str = "n", gender: str = "m", *, plural: bool = False) -> str:
    said: str = num2words(number, lang="ru", to="ordinal", case=case, gender=gender, plural=plural, animate=False)
    return said


def _form(number: Quantity) -> int:
    """Returns 0 for one, 1 for two to four and for fractions (the genitive), 2 for five and more."""
    if number.scale:
        return 2
    if number.fraction or number.part:
        return 1
    tens, units = number.whole // 10 % 10, number.whole % 10
    if tens == 1 or units == 0 or units > 4:
        return 2
    return int(units > 1)


_MOST_DECIMALS = 6


def _decimal(whole: int, fraction: str, _: str) -> str:
    start = f"{_cardinal(whole, 'f')} {'целая' if _form(Quantity(whole)) == 0 else 'целых'}"
    if len(fraction) > _MOST_DECIMALS:
        return f"{start} {' '.join(_cardinal(int(digit), '') for digit in fraction)}"
    return f"{start} {_share(int(fraction), 10 ** len(fraction))}"


def _share(over: int, under: int) -> str:
    one = _form(Quantity(over)) == 0
    part = _ordinal(under, gender="f") if one else _ordinal(under, "g", plural=True)
    return f"{_cardinal(over, 'f')} {part}"


def _ratio(over: int, under: int) -> str | None:
    return None if under > 10**6 else _share(over, under)


def _mixed(whole: int, over: int, under: int) -> str:
    return f"{_cardinal(whole, 'f')} {'целая' if _form(Quantity(whole)) == 0 else 'целых'} {_share(over, under) if under else ''}"


_LENGTHS = metric({"м": noun("метр/метра/метров")}, {})
for _sign, _prefix in (("к", "кило"), ("с", "санти"), ("м", "милли"), ("д", "деци")):
    _LENGTHS[f"{_sign}м"] = Noun(tuple(_prefix + form for form in _LENGTHS["м"].forms))
_SECOND, _HOUR = noun("секунда/секунды/секунд", "f"), noun("час/часа/часов")
_UNITS = (
    _LENGTHS
    | powers(_LENGTHS, ("квадратный", "квадратных", "квадратных"), ("кубический", "кубических", "кубических"), before=True)
    | nouns(
        """
        мкм микрометр/микрометра/микрометров
        г,гр грамм/грамма/граммов
        кг килограмм/килограмма/килограммов
        мг миллиграмм/миллиграмма/миллиграммов
        т тонна/тонны/тонн f
        ц центнер/центнера/центнеров
        л литр/литра/литров
        мл миллилитр/миллилитра/миллилитров
        сек,сек. секунда/секунды/секунд f
        мс миллисекунда/миллисекунды/миллисекунд f
        мин,мин. минута/минуты/минут f
        ч,ч. час/часа/часов
        га гектар/гектара/гектаров
        Вт ватт/ватта/ватт
        кВт киловатт/киловатта/киловатт
        МВт мегаватт/мегаватта/мегаватт
        кВт·ч,кВт*ч киловатт-час/киловатт-часа/киловатт-часов
        кВ киловольт/киловольта/киловольт
        Гц герц/герца/герц
        кГц килогерц/килогерца/килогерц
        МГц мегагерц/мегагерца/мегагерц
        ГГц гигагерц/гигагерца/гигагерц
        Дж джоуль/джоуля/джоулей
        кДж килоджоуль/килоджоуля/килоджоулей
        Па паскаль/паскаля/паскалей
        КБ,Кб килобайт/килобайта/килобайт
        МБ,Мб мегабайт/мегабайта/мегабайт
        ГБ,Гб гигабайт/гигабайта/гигабайт
        ТБ,Тб терабайт/терабайта/терабайт
        дБ децибел/децибела/децибел
        ккал килокалория/килокалории/килокалорий f
        л.с.,л._с. лошадиная_сила/лошадиные_силы/лошадиных_сил f
        °C,°С градус_Цельсия/градуса_Цельсия/градусов_Цельсия
        °F градус_Фаренгейта/градуса_Фаренгейта/градусов_Фаренгейта
        ° градус/градуса/градусов
        чел. человек/человека/человек
        шт. штука/штуки/штук f
        экз. экземпляр/экземпляра/экземпляров
        ‰ промилле
        kg килограмм/килограмма/килограммов
        km километр/километра/километров
        cm сантиметр/сантиметра/сантиметров
        mm миллиметр/миллиметра/миллиметров
        """
    )
)
_UNITS |= {symbol.replace("_", " "): thing for symbol, thing in _UNITS.items() if "_" in symbol}
_CENT = noun("цент/цента/центов")
_KOPECK = noun("копейка/копейки/копеек", "f")
_CURRENCIES = {
    **dict.fromkeys(("руб.", "руб", "р.", "₽", "RUB"), Money(noun("рубль/рубля/рублей"), _KOPECK)),
    **dict.fromkeys(("$", "USD", "US$", "долл."), Money(noun("доллар/доллара/долларов"), _CENT)),
    **dict.fromkeys(("€", "EUR"), Money(noun("евро"), _CENT)),
    **dict.fromkeys(("£", "GBP"), Money(noun("фунт/фунта/фунтов"), noun("пенс/пенса/пенсов"))),
    **dict.fromkeys(("¥", "JPY"), Money(noun("иена/иены/иен", "f"))),
    **dict.fromkeys(("CHF",), Money(noun("швейцарский франк/швейцарских франка/швейцарских франков"))),
    **dict.fromkeys(("грн", "грн.", "₴", "UAH"), Money(noun("гривна/гривны/гривен", "f"), _KOPECK)),
    **dict.fromkeys(("коп.", "коп"), Money(_KOPECK)),
}
_THOUSAND, _MILLION = noun("тысяча/тысячи/тысяч", "f"), noun("миллион/миллиона/миллионов")
_MILLIARD, _BILLION = noun("миллиард/миллиарда/миллиардов"), noun("триллион/триллиона/триллионов")
_SCALES = {
    **dict.fromkeys(("тыс.", "тыс", *_THOUSAND.forms), _THOUSAND),
    **dict.fromkeys(("млн.", "млн", *_MILLION.forms), _MILLION),
    **dict.fromkeys(("млрд.", "млрд", *_MILLIARD.forms), _MILLIARD),
    **dict.fromkeys(("трлн.", "трлн", *_BILLION.forms), _BILLION),
}
_ABBREVIATIONS = {
    "т. е.": "то есть", "и т. д.": "и так далее", "и т. п.": "и тому подобное", "т. п.": "тому подобное", "т. д.": "так далее", "и др.": "и другие",
    "и пр.": "и прочее", "т. к.": "так как", "т. н.": "так называемый", "в т. ч.": "в том числе", "до н. э.": "до нашей эры", "н. э.": "нашей эры",
    "напр.": "например", "им.": "имени", "проф.": "профессор", "акад.": "академик", "ул.": "улица", "просп.": "проспект", "пр-т": "проспект",
    "пер.": "переулок", "обл.": "область",
    "тел.": "телефон", "ок.": "около", "св.": "свыше", "г-н": "господин", "г-жа": "госпожа", "гг.": "годы", "вв.": "века", "ср.": "сравни",
    "д-р": "доктор", "ж.-д.": "железнодорожный", "с.-х.": "сельскохозяйственный", "кол-во": "количество",
}  # fmt: skip
_LATE = {"тыс.": "тысяч", "млн": "миллионов", "млрд": "миллиардов", "руб.": "рублей", "долл.": "долларов"}
"""Units without a number of their own; tried after those that have one."""
_NUMBERED = {
    "№": "номер", "стр.": "страница", "с.": "страница", "д.": "дом", "кв.": "квартира", "рис.": "рисунок", "табл.": "таблица", "гл.": "глава",
    "ст.": "статья", "п.": "пункт", "т.": "том", "корп.": "корпус", "стр. ": "страница", "#": "номер", "§": "параграф", "каб.": "кабинет",
    "ауд.": "аудитория", "вып.": "выпуск", "ч.": "часть", "разд.": "раздел", "ок.": "около", "св.": "свыше", "м-н": "микрорайон",
}  # fmt: skip
_LETTERS = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "а бэ вэ гэ дэ е ё жэ зэ и и ка эль эм эн о пэ эр эс тэ у эф ха цэ че ша ща ер ы ерь э ю я".split(),
        strict=True,
    )
)


def _per(unit: Noun) -> str:
    word = re.sub("я$", "ю", re.sub("а$", "у", unit[0]))
    return f"{'в' if unit[0] in ('час', 'секунда', 'минута', 'миллисекунда') else 'на'} {word}"


def _portion(over: int, under: int, thing: Noun) -> str | None:
    said = _ratio(over, under)
    return said and f"{said} {thing[1]}"


_TONGUE = Tongue(
    "ru",
    cardinal=_cardinal,
    form=_form,
    decimals=lambda digits, _: digits,
    decimal=_decimal,
    ratio=_ratio,
    mixed=_mixed,
    portion=_portion,
    letters=_LETTERS,
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    comma="целых",
    point="точка",
    minus="минус",
    plus="плюс",
    to="",
    versus="",
    per=_per,
    percent=noun("процент/процента/процентов"),
    signs={
        "%": "процент", "€": "евро", "&": "и", "+": "плюс", "=": "равно", "<": "меньше", ">": "больше", "±": "плюс-минус", "×": "на",
        "÷": "разделить на", "§": "параграф", "@": "собака", "#": "решётка", "~": "примерно", "*": "умножить на", "−": "минус", "$": "доллар",
        "£": "фунт", "‰": "промилле", "©": "копирайт", "≈": "примерно", "≥": "больше или равно", "≤": "меньше или равно", "°": "градус",
        "№": "номер", "₽": "рублей",
    },
    joined=lambda said, form: f"{said} {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("США ООН МГУ ФРГ ГДР ЕС РФ СНГ АЭС МИД ЦУМ ЧП ВОЗ ЭВМ США ФИО ОАО ЗАО ООО КНДР КНР МЧС ДТП ИП США УК ЕГЭ ОАЭ".split()) - {"ЦУМ", "МИД", "ВОЗ"},
    web={".": "точка", "@": "собака", "/": "слэш", "-": "дефис", "_": "нижнее подчёркивание", ":": "двоеточие", "?": "вопрос", "=": "равно", "&": "и", "#": "решётка", "%": "процент", "+": "плюс", "~": "тильда"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTH_NAMES = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()
_MONTHS = month_numbers(
    "января янв", "февраля фев февр", "марта мар", "апреля апр", "мая", "июня июн", "июля июл", "августа авг", "сентября сен сент",
    "октября окт", "ноября ноя нояб", "декабря дек",
)  # fmt: skip

_OF_GENITIVE = frozenset("от до из с со у около после без свыше более менее больше меньше для против кроме не_более ввиду среди".split())
_OF_DATIVE = frozenset("к ко благодаря согласно".split())
_OF_PREPOSITIONAL = frozenset("в во на о об при".split())


def _case_of_year(before: str, word: str) -> str:
    """Returns the case of a year from the form of `год` behind it, or from the preposition before it."""
    form = {"год": "n", "года": "g", "годом": "i", "годе": "p"}.get(word, "")
    if form:
        return form
    start = last_word(before)
    if start in _OF_DATIVE or start == "по" and word == "году":
        return "d"
    if start in _OF_PREPOSITIONAL or word == "году":
        return "p"
    if start == "по":
        return "a"
    return "g" if start in _OF_GENITIVE else "n"


_YEAR_FORMS = {"n": "год", "a": "год", "g": "года", "d": "году", "p": "году", "i": "годом"}


def _year(match: re.Match[str]) -> str | None:
    number, word = int(match["year"]), match["word"].lower()
    if not 100 <= number < 2200:
        return None
    case = _case_of_year(match.string[: match.start()], word)
    return ended(match, f"{_ordinal(number, case)} {_YEAR_FORMS[case] if word == 'г.' else match['word']}")


def _years(match: re.Match[str]) -> str | None:
    first, last, word = int(match["first"]), int(match["last"]), match["word"].lower()
    if not 100 <= first < last < 2200:
        return None
    before = last_word(match.string[: match.start()])
    case = {"годы": "n", "годов": "g", "годах": "p", "годам": "d", "годами": "i"}.get(word) or ("p" if before in _OF_PREPOSITIONAL else "n")
    several = {"n": "годы", "p": "годах"}
    return ended(match, f"{_ordinal(first, case)} {_ordinal(last, case)} {several[case] if word.endswith('.') else match['word']}")


def _bare_year(match: re.Match[str]) -> str | None:
    word, behind = match["before"].lower(), match.string[match.end() :]
    following = next_word(behind)
    number = int(match["year"])
    if not 1700 <= number < 2100 or re.search(r"(?:ах|ях|ов|ев|ей|ек|ок|ам|ям)$|^(?:тыс|млн|руб|км|кг|чел|раз|лет|штук|тонн)", following):
        return None
    if word in ("с", "до", "после"):
        return None if following and following not in ("по", "до", "и") else f"{match['before']} {_ordinal(number, 'g')}"
    if word == "по":
        return f"{match['before']} {_ordinal(number, 'a')}" if following in ("", "гг") else None
    return f"{match['before']} {_ordinal(number, 'p')}"


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    before, behind = match.string[: match.start()], match.string[match.end() :]
    start = last_word(before)
    alone = "sign" in match.groupdict() and not before.strip() and not re.search(r"\w", re.sub(r"^\s*(?:г\.|года)", "", behind))
    case = "d" if start in _OF_DATIVE else "a" if start in ("на", "по") else "n" if alone else "g"
    words = f"{_ordinal(day, case, 'n')} {_MONTH_NAMES[month - 1]}"
    if not year:
        return ended(match, words)
    return f"{words} {_ordinal(int(year), 'g') if int(year) else _NUMBERS.digits(year)}"


def _of_year(match: re.Match[str]) -> str:
    return ended(match, f"{match[1]} года")


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = [_NUMBERS.counted(Quantity(hour), _HOUR) or ""]
    if minute or second:
        words.append(_NUMBERS.counted(Quantity(minute), _UNITS["мин"]) or "")
    if second is not None:
        words.append(_NUMBERS.counted(Quantity(second), _SECOND) or "")
    return " ".join(words)


def _agree(number: Quantity, before: str, behind: str) -> str:
    """Returns the gender and case of a number from the preposition before it and the endings behind it."""
    if number.fraction or number.part or number.scale:
        return ""
    start = last_word(before)
    words = re.findall(r"[^\W\d_]+", behind[:60])[:2] if behind.startswith(" ") else []
    one = number.whole % 10 == 1 and number.whole % 100 != 11
    for word in words:
        for ending, case in (("ами", "i"), ("ями", "i"), ("ах", "p"), ("ях", "p"), ("ам", "d"), ("ям", "d")):
            if word.endswith(ending) and len(word) > len(ending) + 1:
                return f"m:{case}"
        if not word.endswith(("ых", "их", "ым", "им", "ыми", "ими")):
            break
    thing = words[0] if words else ""
    if start in _OF_GENITIVE and not (start in ("с", "со") and one and thing.endswith(("ом", "ем"))):
        return f"{'f' if one and thing.endswith(('ы', 'и')) else 'm'}:g"
    if start in _OF_DATIVE:
        return "m:d"
    if not thing or thing in ("и", "или", "на", "за", "а", "но", "из", "до", "по", "не", "года", "для", "к", "была", "была", "дня"):
        return ""
    if one:
        if thing.endswith(("у", "ю")):
            return "f:a"
        if thing.endswith(("а", "я", "ая", "яя")) and not thing.endswith("мя"):
            return "f"
        return "n" if thing.endswith(("о", "е", "мя")) else "m"
    two = number.whole % 10 == 2 and number.whole % 100 != 12
    return "f" if two and thing.endswith(("ы", "и", "ые", "ие")) else ""


_SUFFIXES = {
    "й": ("n", "m"), "ый": ("n", "m"), "ий": ("n", "m"), "ой": ("n", "m"), "я": ("n", "f"), "ая": ("n", "f"), "ья": ("n", "f"), "е": ("n", "n"),
    "ое": ("n", "n"), "го": ("g", "m"), "ого": ("g", "m"), "его": ("g", "m"), "му": ("d", "m"), "ому": ("d", "m"), "м": ("p", "m"), "ом": ("p", "m"),
    "ым": ("i", "m"), "ю": ("a", "f"), "ую": ("a", "f"), "х": ("g", "*"), "ых": ("g", "*"), "ые": ("n", "*"), "ми": ("i", "*"), "ыми": ("i", "*"), "ти": ("g", "m"),
    "мя": ("i", "m"),
}  # fmt: skip


def _suffixed(match: re.Match[str]) -> str | None:
    number, suffix = int(match["number"]), match["suffix"]
    if not number:
        return None
    if suffix in ("х", "ти", "мя") and (number % 10 or suffix == "ти"):
        # A whole number with its ending: 2-х, 5-ти, 3-мя.
        return _cardinal(number, "m:i" if suffix == "мя" else "m:g")
    case, gender = _SUFFIXES[suffix]
    behind, start = next_word(match.string[match.end() :]), last_word(match.string[: match.start()])
    if suffix == "е" and not (behind.endswith(("о", "е", "мя")) and number % 10):
        gender = "*"
    if suffix == "м" and start in ("с", "над", "под", "перед", "между", "за"):
        case = "i"
    if suffix in ("й", "ой") and behind.endswith(("ы", "и", "ой", "ей", "е")) and not behind.endswith(("ий", "ый")):
        # An oblique feminine: в 5-й главе, 3-й степени.
        return _ordinal(number, "g", "f")
    return _ordinal(number, case, "m" if gender == "*" else gender, plural=gender == "*")


_STEMS = {1: "одно", 2: "двух", 3: "трёх", 4: "четырёх", 90: "девяносто", 100: "сто", 1000: "тысяче"}


def _compound(match: re.Match[str]) -> str:
    number = int(match["number"])
    stem = _STEMS.get(number) or _cardinal(number, "m:g").replace(" ", "")
    return f"{stem}{match['word']}"


_MALE = (
    "Петр Пётр Александр Никола Павел Павл Иван Людовик Карл Генрих Фридрих Вильгельм Наполеон Филипп Георг Эдуард Рамсес Иоанн Бенедикт Пи Васили"
    " Константин Фердинанд Франциск Франц Густав Кристиан Ричард Алекси Леопольд Оттон Григори Иннокенти Урбан Климент Юли Сикст Михаил Максимилиан Яков"
).split()  # fmt: skip
_FEMALE = "Екатерин Елизавет Изабелл Маргарит Мари Анн Клеопатр".split()
_MALE_CASES = {"": "n", "й": "n", "а": "g", "я": "g", "у": "d", "ю": "d", "ом": "i", "ем": "i", "е": "p", "и": "p"}
_FEMALE_CASES = {"а": "n", "я": "n", "ы": "g", "и": "g", "е": "d", "у": "a", "ю": "a", "ой": "i", "ей": "i"}


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    if match["male"]:
        return f"{match['name']} {_ordinal(number, _MALE_CASES[match['male_end']])}"
    return f"{match['name']} {_ordinal(number, _FEMALE_CASES[match['female_end']], 'f')}"


_CENTURIES = {"век": "n", "века": "g", "веку": "d", "веком": "i", "веке": "p", "столетие": "n", "столетия": "g", "столетии": "p", "съезд": "n", "съезда": "g", "съезде": "p"}


def _century(match: re.Match[str]) -> str | None:
    romans = [from_roman(roman) for roman in re.findall("[IVX]+", match["romans"])]
    word = match["word"].lower()
    if not all(romans):
        return None
    case = _CENTURIES.get(word) or ("p" if last_word(match.string[: match.start()]) in ("в", "во") else "g" if len(word) == 2 else "n")
    gender = "n" if word.startswith("столет") else "m"
    written = {"p": "веке", "g": "века", "n": "века"}[case] if word == "в." else "веках" if word == "вв." and case == "p" else "века" if word == "вв." else match["word"]
    return ended(match, f"{' '.join(_ordinal(roman, case, gender) for roman in romans)} {written}")


def _world(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    case = {"ая": "n", "ой": "g", "ую": "a"}[match["word"][-2:]]
    return _ordinal(number, case, "f") if number else None


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['before']} {_cardinal(number, '')}" if number else None


def _town(match: re.Match[str]) -> str:
    return "городе" if last_word(match.string[: match.start()]) in ("в", "во") else "город"


_RULES: tuple[Rule, ...] = (
    # espeak-ng reads е where ё isn't written.
    Rule("spelling", re.compile(r"(?<!\w)[Чч]етверт(?=(?:ый|ого|ому|ым|ом|ая|ой|ую|ое|ые|ых|ыми)(?!\w))"), lambda match: f"{match[0][:4]}ёрт"),
    Rule("spelling", re.compile(r"(?<!\w)(?:[Тт]р|[Чч]етыр)ех(?!\w)"), lambda match: f"{match[0][:-2]}ёх"),
    *links(_NUMBERS),
    Rule("abbreviation", re.compile(r"(?<![\w.])(?<!\d )г\.(?=\s?[А-ЯЁ][а-яё])"), _town),
    Rule("abbreviation", re.compile(r"(?<![\w.])(?<!\d )(?<!\d)см\.(?=\s)"), lambda _: "смотри"),
    *dates(_MONTHS, _date),
    Rule("year", re.compile(r"([\ue000-\uf8ff])\s?(?:г\.|года(?!\w))"), _of_year),
    Rule("year", re.compile(rf"{LEFT}(?P<first>\d{{3,4}})\s?[-–—]\s?(?P<last>\d{{3,4}})\s?(?P<word>(?i:гг\.|годы|годов|годами|годах|годам)(?!\w))"), _years),
    Rule("year", re.compile(rf"{LEFT}(?P<year>\d{{3,4}})(?:-[йм]|-го|-му)?\s?(?P<word>(?i:г\.|году|года|годом|годе|год)(?!\w))"), _year),
    Rule("year", re.compile(r"(?<!\w)(?P<before>(?i:в|во|с|до|после|по)) (?P<year>\d{4})(?![\w%/-]|[.,:]\d|\s?[-–%°$€₽]|\s\d)"), _bare_year),
    times(_clock, words="ч\\.?|час(?:ов|а)?", to="", zones=zone_said(_NUMBERS)),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("и т. д.", "и т.д.", "и др.", "и т. п.", "и т.п.", "и пр."))),
    *money(_NUMBERS),
    Rule("ordinal", re.compile(rf"{LEFT}(?P<number>\d{{1,9}})-?(?P<suffix>{alternatives(_SUFFIXES)})(?!\w)"), _suffixed),
    Rule("ordinal", re.compile(rf"{LEFT}(?P<number>\d{{1,4}})-(?P<word>(?:лет|этаж|метров|процент|днев|часов|тонн|мест|миллим|килом|килог|минут|мес|недел|кратн|градус|балл|комнат|секунд|ступен|разов|тысяч|миллион|струн|угольн|сантим|класс|рубл|клапан|цилиндр|дюйм|гранн|век|голос|звезд|колес|верст|лист|сторонн|значн)[а-яё]+)"), _compound),
    *measures(_NUMBERS),
    Rule("roman", re.compile(rf"(?<!\w)(?P<name>(?:(?P<male>{alternatives(_MALE)})(?P<male_end>{alternatives(_MALE_CASES)})|(?:{alternatives(_FEMALE)})(?P<female_end>{alternatives(_FEMALE_CASES)}))) (?P<roman>{ROMAN})"), _monarch),
    Rule("roman", re.compile(r"(?<![\w-])(?P<romans>[IVX]+(?:\s?[-–—]\s?[IVX]+)?)\s(?P<word>вв?\.|(?:век(?:ами|ах|ом|ов|а|у|е)?|столети[еяи]|съезд[ае]?)(?!\w))"), _century),
    Rule("roman", re.compile(r"(?<!\w)(?P<roman>[IVX]+)(?= (?P<word>(?:[Мм]иров|[Оо]течественн)(?:ая|ой|ую)))"), _world),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?i:глав[аые]|том[ае]?|част[ьи]|класс|раздел|групп[аы]|акт|степен[ьи]|тип[аы]?)) (?P<roman>{ROMAN})"), _roman),
    *plain(_NUMBERS, _agree),
    Rule("abbreviation", re.compile(rf"(?<!\w)(?:{alternatives(_LATE)})(?!\w)"), lambda match: ended(match, _LATE[match[0]])),
    *signs(_TONGUE),
    *initials(_TONGUE),
)  # fmt: skip
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽₴¥*\u2212№]|\.\s?\w|[А-ЯЁ]{2}|\b[А-ЯЁA-Z]\.|[IVX]|\b(?:др|пр|[дпэ]|руб|напр|ул|тыс|гг|вв)\.|\b[Чч]етверт|\b(?:[Тт]р|[Чч]етыр)ех\b|\b(?:г-н|г-жа|д-р|пр-т|млн|млрд|кол-во)\b"
)
LANGUAGE = Speaker("ru", _RULES, needed=_NEEDED, before=plainly)
