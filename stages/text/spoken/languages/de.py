"""German."""

import re

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, RIGHT, Numbers, alternatives, thousands
from stages.text.spoken.european.quantities import ended, last_word, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, initials, links, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_SMALL = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    " achtzehn neunzehn"
).split()
_TENS = "null zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_GREAT = "Million Milliarde Billion Billiarde Trillion Trilliarde".split()


def _hundreds(number: int, one: str) -> str:
    """Returns a number under 1000, with spaces where espeak-ng would mistake a long compound."""
    hundreds, rest = divmod(number, 100)
    words = [f"{'ein' if hundreds == 1 else _SMALL[hundreds]} hundert"] if hundreds else []
    if rest == 1:
        words.append(one)
    elif 0 < rest < 20:
        words.append(_SMALL[rest])
    elif rest:
        tens, units = divmod(rest, 10)
        words.append(f"{'ein' if units == 1 else _SMALL[units]} und {_TENS[tens]}" if units else _TENS[tens])
    return " ".join(words)


def _cardinal(number: int, gender: str) -> str:
    if not number:
        return "null"
    words = []
    for group, power in thousands(number):
        if power == 0:
            words.append(_hundreds(group, {"f": "eine", "": "eins"}.get(gender, "ein")))
        elif power == 1:
            words.append(f"{_hundreds(group, 'ein')} tausend")
        else:
            great = _GREAT[power - 2]
            several = great + ("n" if great.endswith("e") else "en")
            words.append(f"{_hundreds(group, 'eine')} {great if group == 1 else several}")
    return " ".join(words)


def _year(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not 11 <= hundreds <= 19:
        return _cardinal(number, "")
    return f"{_SMALL[hundreds]} hundert {_hundreds(rest, 'eins')}".rstrip()


_STEMS = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}


def _ordinal(number: int, ending: str) -> str:
    rest = number % 100
    if 0 < rest < 20:
        before = f"{_cardinal(number - rest, '')} " if number > rest else ""
        return f"{before}{_STEMS.get(rest) or _SMALL[rest] + 't'}{ending}"
    words = _cardinal(number, "") if number else "nullt"
    words = re.sub(r"(?i)million(en)?$", "millionst", re.sub(r"(?i)(illiarde)n?$", r"\1st", words))
    return f"{words if words.endswith(('st', 'tt', 'llt')) else words + 'st'}{ending}"


_DATIVE = frozenset(
    "am im vom zum zur beim dem den des einem einer eines keinem keiner keines meinem meiner meines seinem seiner seines"
    " ihrem ihrer ihres unserem unserer unseres diesem dieser dieses jedem jeder jedes ab seit bis nach von mit bei gegen"
    " für um vor meinen deinen seinen ihren unseren keinen einen diesen jeden hinterm unterm überm".split()
)
_PREPOSITIONS = frozenset(
    "in an auf aus bei mit nach von zu seit vor hinter neben über unter zwischen während wegen trotz gegenüber außer ab"
    " statt anlässlich seitens innerhalb".split()
)
_STRONG = frozenset("ein kein mein dein sein ihr unser euer".split())
_SKIPPED = re.compile(
    r"(?:\s|,|(?<!\w)\d+\.|[\ue000-\uf8ff]|(?<!\w)(?:und|oder|bis|sowie)(?!\w)|[-–/]"
    r"|(?<!\w)(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag(?!\w)|(?<!\w)(?:Mittwoch|Sonnabend)(?!\w))+$"
)
_FEMININE = re.compile(
    r"(?:ung|heit|keit|schaft|tät|ion|ik|enz|anz|ei|e|liga|frau|nacht|stadt|art|zahl|person|schlacht|mannschaft)$", re.IGNORECASE
)
_NOT_FEMININE = re.compile(
    r"(?:name|junge|kollege|kunde|affe|hase|gebäude|ende|auge|interesse|käse|gelände|gemüse|löwe|experte|buchstabe"
    r"|gedanke|ei|blei|brei|schrei)$",
    re.IGNORECASE,
)
_NEUTER = re.compile(
    r"(?:chen|lein|ment|um|nis|mal|jahr|kind|kapitel|semester|quartal|spiel|tor|viertel|drittel|jahrhundert|jahrzehnt"
    r"|buch|bild|haus|lied|album|konzert|rennen|treffen|festival|gebot|regiment|bataillon)$",
    re.IGNORECASE,
)


def _ending(before: str, behind: str) -> str:
    """Returns the ending of an ordinal from the words around it."""
    start = _SKIPPED.sub("", before)
    word = last_word(start)
    if word in ("der", "die", "das"):
        in_dative = word == "der" and last_word(start.rstrip()[:-3]) in _PREPOSITIONS
        return "en" if in_dative else "e"
    if word in _DATIVE or word in _PREPOSITIONS:
        return "en"
    if word.rstrip("e") in _STRONG and word.endswith("e"):
        return "e"
    thing = next_word(behind)
    if not thing or word == "ins":
        return "e" if word == "ins" else "er"
    if _FEMININE.search(thing) and not _NOT_FEMININE.search(thing):
        return "e"
    return "es" if _NEUTER.search(thing) else "er"


_ORDINAL_NOUNS = re.compile(
    r"(?i:jahrhunderts?|jh|jhd|weltkriegs?|weltkrieges|platz|rang|liga|bundesliga|runde|klasse|auflage|etage|stock|kapitel|akt"
    r"|teil|satz|sinfonie|symphonie|geburtstags?|mal|spieltag|minute|tag|jahrestag|advent|semester|quartal|halbzeit"
    r"|stockwerk|lebensjahr|staffel|folge|obergeschoss|bezirk|armee|division|regiment|fc|preis|reich|republik)(?!\w)"
)
_OPENERS = frozenset(
    "der die das er sie es ich wir ihr du man ein eine einen einem danach dann aber und oder in im am an auf bei nach vor"
    " mit von zu für wer was wo wie wann warum auch doch so als wenn dies diese dieser dieses jetzt nun seitdem später".split()
)
_DETERMINERS = frozenset(
    "der die das den dem des am im vom zum zur beim ins ein eine einen einem einer eines mein meine meinem meinen meiner"
    " sein seine seinem seinen seiner ihr ihre ihrem ihren ihrer unser unsere unserem unseren unserer dieser diese diesem"
    " jeder jede jedes jedem kein keine".split()
)


def _ratio(over: int, under: int) -> str | None:
    if under == 2:
        return f"{_cardinal(over, 'm')} {'halb' if over == 1 else 'halbe'}"
    return f"{_cardinal(over, 'm')} {_ordinal(under, 'el')}"


_LENGTHS = metric({"m": noun("Meter")}, {"k": "Kilo", "c": "Zenti", "m": "Milli", "d": "Dezi", "µ": "Mikro", "n": "Nano"})
_UNITS = (
    metric(
        nouns(
            """
            g Gramm
            l,L Liter
            W Watt
            V Volt
            A Ampere
            Hz Hertz
            J Joule
            Pa Pascal
            N Newton
            B Byte
            Wh Wattstunde/Wattstunden f
            """
        ),
        {"k": "Kilo", "c": "Zenti", "m": "Milli", "d": "Dezi", "h": "Hekto", "µ": "Mikro", "n": "Nano", "M": "Mega", "G": "Giga", "T": "Tera"},
    )
    | _LENGTHS
    | powers(_LENGTHS, ("quadrat-",), ("kubik-",), before=True)
    | nouns(
        """
        s,sec,sek,Sek. Sekunde/Sekunden f
        ms Millisekunde/Millisekunden f
        min,Min.,Min Minute/Minuten f
        h,Std.,Std Stunde/Stunden f
        t Tonne/Tonnen f
        ha Hektar
        °C Grad_Celsius n
        °F Grad_Fahrenheit n
        ° Grad n
        dB Dezibel
        kn Knoten
        kcal Kilokalorie/Kilokalorien f
        PS P_S f
        mph Meile_pro_Stunde/Meilen_pro_Stunde f
        mi Meile/Meilen f
        ft Fuß
        lb,lbs Pfund n
        ‰ Promille
        Jh.,Jhd. Jahrhundert/Jahrhunderte n
        """
    )
)
_CENT = noun("Cent")
_PENNY = noun("Penny/Pence")
_CURRENCIES = {
    **dict.fromkeys(("€", "EUR"), Money(noun("Euro"), _CENT)),
    **dict.fromkeys(("$", "US$", "USD"), Money(noun("Dollar"), _CENT)),
    **dict.fromkeys(("£", "GBP"), Money(noun("Pfund", "n"), _PENNY)),
    **dict.fromkeys(("CHF", "SFr.", "sFr."), Money(noun("Schweizer Franken"), noun("Rappen"))),
    **dict.fromkeys(("¥", "JPY"), Money(noun("Yen"))),
    "₽": Money(noun("Rubel"), noun("Kopeke/Kopeken", "f")),
    "₩": Money(noun("Won")),
    "DM": Money(noun("Mark", "f"), noun("Pfennig")),
    "ct": Money(_CENT),
    "Ct.": Money(_CENT),
}
_MILLION, _MILLIARD = noun("Million/Millionen", "f"), noun("Milliarde/Milliarden", "f")
_BILLION, _BILLIARD = noun("Billion/Billionen", "f"), noun("Billiarde/Billiarden", "f")
_SCALES = {
    **dict.fromkeys(("mio.", "mio", "million", "millionen"), _MILLION),
    **dict.fromkeys(("mrd.", "mrd", "milliarde", "milliarden"), _MILLIARD),
    **dict.fromkeys(("billion", "billionen"), _BILLION),
    **dict.fromkeys(("billiarde", "billiarden"), _BILLIARD),
    "tausend": noun("tausend"),
    "tsd.": noun("tausend"),
}
_ABBREVIATIONS = {
    "z. B.": "zum Beispiel", "d. h.": "das heißt", "u. a.": "unter anderem", "u. U.": "unter Umständen", "z. T.": "zum Teil",
    "i. d. R.": "in der Regel", "o. ä.": "oder ähnliches", "o. g.": "oben genannt", "u. ä.": "und ähnliches", "s. o.": "siehe oben",
    "s. u.": "siehe unten", "v. a.": "vor allem", "v. Chr.": "vor Christus", "n. Chr.": "nach Christus", "i. e.": "das ist",
    "usw.": "und so weiter", "usf.": "und so fort", "bzw.": "beziehungsweise", "etc.": "et cetera", "ca.": "circa",
    "Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Hrn.": "Herrn", "Frl.": "Fräulein", "St.": "Sankt", "Mr.": "Mister",
    "Mrs.": "Misses", "Ms.": "Miss", "Dipl.-Ing.": "Diplomingenieur", "inkl.": "inklusive", "exkl.": "exklusive",
    "zzgl.": "zuzüglich", "abzgl.": "abzüglich", "ggf.": "gegebenenfalls", "evtl.": "eventuell", "vgl.": "vergleiche",
    "bspw.": "beispielsweise", "geb.": "geboren", "gest.": "gestorben", "Hrsg.": "Herausgeber", "allg.": "allgemein", "sog.": "sogenannt",
    "m. E.": "meines Erachtens", "u. v. m.": "und vieles mehr", "einschl.": "einschließlich", "Jh.": "Jahrhundert",
    "Jhd.": "Jahrhundert", "zw.": "zwischen", "Std.": "Stunden", "Mio.": "Millionen", "Mrd.": "Milliarden", "Tel.": "Telefon",
}  # fmt: skip
_NUMBERED = {
    "Nr.": "Nummer", "Nrn.": "Nummern", "S.": "Seite", "Bd.": "Band", "Kap.": "Kapitel", "Abb.": "Abbildung", "Art.": "Artikel",
    "Abs.": "Absatz", "Tab.": "Tabelle", "Aufl.": "Auflage", "Str.": "Straße", "§": "Paragraf", "§§": "Paragrafen", "#": "Nummer",
    "Pos.": "Position", "Ziff.": "Ziffer", "max.": "maximal", "mind.": "mindestens", "min.": "mindestens", "№": "Nummer", "Hbf.": "Hauptbahnhof",
}  # fmt: skip
_TONGUE = Tongue(
    "de",
    cardinal=_cardinal,
    form=lambda number: 0 if number.is_one else 1,
    decimals=lambda digits, _: " ".join(_SMALL[int(digit)] for digit in digits),
    ratio=_ratio,
    mixed=lambda whole, over, under: f"{_cardinal(whole, 'm')} {_ratio(over, under) or ''}",
    letters={},
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    whole_agrees=False,
    comma="Komma",
    point="Punkt",
    minus="minus",
    plus="plus",
    to="bis",
    versus="zu",
    per=lambda unit: f"pro {unit[0]}",
    percent=noun("Prozent", "n"),
    signs={
        "%": "Prozent", "€": "Euro", "&": "und", "+": "plus", "=": "gleich", "<": "kleiner als", ">": "größer als", "±": "plus minus",
        "×": "mal", "÷": "geteilt durch", "°": "Grad", "§": "Paragraf", "@": "at", "#": "Raute", "~": "ungefähr", "*": "mal",
        "−": "minus", "$": "Dollar", "£": "Pfund", "‰": "Promille", "©": "Copyright", "≈": "ungefähr", "≥": "größer gleich", "≤": "kleiner gleich",
    },
    joined=lambda said, form: f"{said} {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("USA EU ARD UN WHO IBM AOK ICE ADAC AG LKA BKA EZB UKW IT OP AFD UFA EDV EKG UV IQ ADHS ABC AKW SUV VIP".split()),
    web={".": "Punkt", "@": "at", "/": "Schrägstrich", "-": "Minus", "_": "Unterstrich", ":": "Doppelpunkt", "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute", "%": "Prozent", "+": "plus", "~": "Tilde"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTHS = month_numbers(
    "januar jänner jan", "februar feber feb", "märz mär mrz", "april apr", "mai", "juni jun", "juli jul", "august aug",
    "september sept sep", "oktober okt", "november nov", "dezember dez",
)  # fmt: skip
_MONTH_NAMES = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{_ordinal(day, _ending(match.string[: match.start()], ' Tag'))} {_MONTH_NAMES[month - 1]}"
    return ended(match, f"{words} {_year_said(year)}" if year else words)


def _short_date(match: re.Match[str]) -> str | None:
    day, month = int(match["day"]), int(match["month"])
    if last_word(match.string[: match.start()]) not in ("am", "vom", "bis", "zum", "den", "der", "dem", "seit", "ab", "beim"):
        return None
    return _date(match, day, month, "") if 1 <= day <= 31 and 1 <= month <= 12 else None


def _year_said(year: str) -> str:
    return _NUMBERS.digits(year) if len(year) == 2 and year[0] == "0" else _year(int(year))


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = f"{_cardinal(hour, 'm')} Uhr"
    if second is not None:
        minutes = _NUMBERS.counted(Quantity(minute), _UNITS["min"])
        return f"{words} {minutes} {_NUMBERS.counted(Quantity(second), _UNITS['s'])}"
    return f"{words} {_cardinal(minute, '')}" if minute else words


def _agree(number: Quantity, before: str, behind: str) -> str:
    word = next_word(behind)
    if number.whole != 1 or number.fraction or number.part or not word:
        return ""
    if word[0].isupper():
        return "f" if _FEMININE.search(word) and not _NOT_FEMININE.search(word) else "m"
    return "m" if word == "uhr" else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    before, behind = match.string[: match.start()], match.string[match.end() :]
    determined = last_word(_SKIPPED.sub("", before)) in _DETERMINERS
    word = next_word(behind)
    number = int(match[1])
    begins = not before.strip() and (number < 100 or not behind.strip() and not 1100 <= number < 2100)
    joined = bool(re.match(r"\s?(?:und|bis|oder|–|-|/)\s?\d+\.", behind))
    if behind.strip(" \"'”’»)!?.") == "" and (determined or begins):
        return ended(match, _ordinal(int(match[1]), _ending(before, "")))
    if word and (word[0].islower() and not begins or _ORDINAL_NOUNS.match(word)):
        pass
    elif not word or word.lower() in _OPENERS or not (determined or begins or joined):
        if not (determined and (joined or re.match(r"\s?[\ue000-\uf8ff,]", behind))):
            return None
    return _ordinal(int(match[1]), _ending(before, behind))


def _suffixed(match: re.Match[str]) -> str:
    return _ordinal(int(match[1]), match[2])


def _decade(match: re.Match[str]) -> str:
    return f"{_year(int(match[1]))}er"


def _in_year(match: re.Match[str]) -> str | None:
    number, behind = int(match[0]), next_word(match.string[match.end() :])
    before = last_word(match.string[: match.start()])
    if not 1100 <= number <= 1999 or (behind[:1].isupper() and before not in _YEAR_WORDS):
        return None
    return _year(number)


_YEAR_WORDS = frozenset("jahr jahre jahres jahren seit anno sommer winter herbst frühjahr frühling ende anfang mitte".split() + list(_MONTHS))
_MALE = (
    "Ludwig Friedrich Wilhelm Heinrich Karl Carl Otto Leopold Franz Joseph Josef Johannes Johann Paul Benedikt Pius Leo Georg"
    " Eduard Philipp Ferdinand Maximilian Gustav Christian Napoleon Alexander Nikolaus Peter Iwan Konrad August Albrecht Rudolf"
    " Gregor Innozenz Urban Clemens Klemens Ramses Albert Stephan Julius Sixtus Alfons Jakob Richard Theodor Adolf Ernst Bernhard"
    " Felipe Juan Carlos Charles Mehmed Murad Selim Harald Olaf Erich Knut Ptolemaios Darius Amenophis Thutmosis Viktor Emanuel"
).split()  # fmt: skip
_FEMALE = "Elisabeth Katharina Margarethe Margrethe Maria Viktoria Victoria Anna Beatrix Kleopatra Isabella Johanna".split()
_TITLES = re.compile(r"(?:\s|(?:König|Kaiser|Papst|Zar|Fürst|Herzog|Großherzog|Prinz|Kurfürst|Graf|Königin|Kaiserin|Zarin|Sultan)(?:in|s)?(?!\w))+$")


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    last = match["names"].split()[-1]
    female = last in _FEMALE
    before = last_word(_TITLES.sub("", match.string[: match.start()]))
    if last.endswith("s") and last[:-1] in _MALE:
        article, ending = "des", "en"
    elif before in ("von", "mit", "bei", "unter", "zu", "nach", "seit", "vor", "aus", "dem", "neben", "gegenüber"):
        article, ending = ("der", "en") if female else ("dem", "en")
    elif before in ("gegen", "für", "durch", "ohne", "um", "den", "über", "an", "auf"):
        article, ending = ("die", "e") if female else ("den", "en")
    else:
        article, ending = ("die", "e") if female else ("der", "e")
    return ended(match, f"{match['names']} {article} {_ordinal(number, ending).capitalize()}")


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['before']} {_cardinal(number, '')}" if number else None


def _roman_ordinal(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    before, behind = match.string[: match.start()], match.string[match.end() :]
    return _ordinal(number, _ending(before, behind)) if number else None


_RULES: tuple[Rule, ...] = (
    *links(_NUMBERS),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("usw.", "etc.", "usf."))),
    Rule("abbreviation", re.compile(r"(?<=[a-zäöüß])str\.(?!\w)"), lambda match: ended(match, "straße")),
    Rule("abbreviation", re.compile(r"(?<![\w.])Fr\.(?= (?:Dr\.|Prof\.|[A-ZÄÖÜ]\w))"), lambda _: "Frau"),
    *dates(_MONTHS, _date, between=r"(?<=\.)\s"),
    Rule("date", re.compile(rf"{LEFT}(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?!\d)"), _short_date),
    times(_clock, words="Uhr", to="bis", zones=zone_said(_NUMBERS), more="|est|mez"),
    Rule("time", re.compile(rf"{LEFT}(\d\d?) Uhr(?: (\d\d?)(?![\w.,:]))?"), lambda match: _clock(int(match[1]), int(match[2] or 0), None, "")),
    *money(_NUMBERS),
    *measures(_NUMBERS),
    Rule("roman", re.compile(rf"(?<!\w)(?P<names>(?:(?:{alternatives(_MALE)}|{alternatives(_FEMALE)})s?[ -])*(?:{alternatives(_MALE)}|{alternatives(_FEMALE)})s?) (?P<roman>{ROMAN})\.?"), _monarch),
    Rule("roman", re.compile(rf"(?<![\w.])(?P<roman>{ROMAN})\.(?= (?:{_ORDINAL_NOUNS.pattern}))"), _roman_ordinal),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?:Kapitel|Teil|Band|Akt|Klasse|Artikel|Anhang|Phase|Typ|Stufe|Gruppe|Abschnitt)) (?P<roman>{ROMAN})"), _roman),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>[A-ZÄÖÜ][a-zäöüß]+) (?P<roman>(?=[IVX]{{2}}){ROMAN})"), _roman),
    Rule("ordinal", re.compile(rf"{LEFT}(\d{{1,9}})\.(?![\w.,:]|\s?\d)"), _ordinal_rule),
    Rule("ordinal", re.compile(rf"{LEFT}(\d{{1,9}})-?s?t(e[nmrs]?)(?!\w)"), _suffixed),
    Rule("year", re.compile(rf"{LEFT}(\d{{2,4}})er(?!\w)"), _decade),
    Rule("range", re.compile(rf"{LEFT}(1[1-9]\d\d)\s?[-–]\s?([12]\d\d\d){RIGHT}"), lambda match: f"{_year(int(match[1]))} bis {_year(int(match[2]))}"),
    Rule("year", re.compile(rf"{LEFT}1[1-9]\d\d(?![\w/%]|[.,:]\d|\s?[-–]\s?\d)"), _in_year),
    *plain(_NUMBERS, _agree),
    *signs(_TONGUE),
    *initials(_TONGUE),
)
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽¥]|\.\s?\w|[A-ZÄÖÜ]{2}|\b[A-Z]\.|\b(?:usw|etc|bzw|ggf|evtl|usf|ca|Dr|geb|gest|inkl)\.|\*|\u2212"
)
LANGUAGE = Speaker("de", _RULES, needed=_NEEDED, before=plainly)
