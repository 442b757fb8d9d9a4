"""Portuguese, read as in Brazil."""

import re

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, Numbers, alternatives, thousands
from stages.text.spoken.european.quantities import ended, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, don, initials, links, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_SMALL = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete dezoito dezenove"
).split()
_TENS = "- dez vinte trinta quarenta cinquenta sessenta setenta oitenta noventa".split()
_HUNDREDS = "- cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos".split()
_GREAT = "milhão bilhão trilhão quatrilhão quintilhão sextilhão".split()


def _hundreds(number: int, gender: str) -> str:
    if number == 100:
        return "cem"
    hundreds, rest = divmod(number, 100)
    female = gender == "f"
    words = [_HUNDREDS[hundreds][:-2] + "as" if female and hundreds > 1 else _HUNDREDS[hundreds]] if hundreds else []
    if rest >= 20:
        tens, rest = divmod(rest, 10)
        words.append(_TENS[tens])
    if rest:
        words.append({1: "uma", 2: "duas"}[rest] if female and rest < 3 else _SMALL[rest])
    return " e ".join(words)


def _cardinal(number: int, gender: str) -> str:
    groups = thousands(number)
    words = ""
    for at, (group, power) in enumerate(groups):
        if power == 1:
            said = "mil" if group == 1 else f"{_hundreds(group, gender)} mil"
        elif power:
            great = _GREAT[power - 2]
            said = f"{_hundreds(group, 'm')} {great if group == 1 else great.replace('ão', 'ões')}"
        else:
            said = _hundreds(group, gender)
        # Only the last group is joined by `e`, where it has one word: under a hundred, or whole hundreds.
        last = at == len(groups) - 1 and (group < 100 or group % 100 == 0)
        words += (" e " if last else " ") * bool(words) + said
    return words or "zero"


_ORDINALS = "- primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono".split()
_ORDINAL_TENS = "- décimo vigésimo trigésimo quadragésimo quinquagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
_ORDINAL_HUNDREDS = (
    "- centésimo ducentésimo trecentésimo quadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo nongentésimo"
).split()


def _ordinal(number: int, ending: str = "o") -> str:
    thousand, rest = divmod(number, 1000)
    words = [] if not thousand else ["milésimo"] if thousand == 1 else [_cardinal(thousand, "m"), "milésimo"]
    for names, digit in ((_ORDINAL_HUNDREDS, rest // 100), (_ORDINAL_TENS, rest // 10 % 10), (_ORDINALS, rest % 10)):
        words += [names[digit]] if digit else []
    said = " ".join(words)
    return said if ending == "o" else re.sub(r"o(?= |$)", ending, said)


def _ratio(over: int, under: int) -> str | None:
    several = "s" * (over > 1)
    if under == 2:
        name = f"meio{several}"
    elif under == 3:
        name = f"terço{several}"
    elif under <= 10 or under in (100, 1000):
        name = _ordinal(under) + several
    else:
        name = f"{_cardinal(under, '')} avo{several}"
    return f"{_cardinal(over, 'm')} {name}"


def _portion(over: int, under: int, thing: Noun) -> str | None:
    if (over, under) == (1, 2):
        return f"{'meia' if thing.gender == 'f' else 'meio'} {thing[0]}"
    said = _ratio(over, under)
    return said and f"{said} de {thing[0]}"


_LENGTHS = metric({"m": noun("metro/metros")}, {"k": "quilô", "c": "centí", "m": "milí", "d": "decí", "µ": "micrô", "n": "nanô"})
_UNITS = (
    metric(
        nouns(
            """
            g grama/gramas
            l,L litro/litros
            W watt/watts
            V volt/volts
            A ampere/amperes
            Hz hertz
            J joule/joules
            Pa pascal/pascals
            N newton/newtons
            B byte/bytes
            Wh watt-hora/watts-hora
            """
        ),
        {"k": "quilo", "c": "centi", "m": "mili", "d": "deci", "h": "hecto", "µ": "micro", "n": "nano", "M": "mega", "G": "giga", "T": "tera"},
    )
    | _LENGTHS
    | powers(_LENGTHS, ("quadrado", "quadrados"), ("cúbico", "cúbicos"), before=False)
    | nouns(
        """
        s,seg segundo/segundos
        ms milissegundo/milissegundos
        min minuto/minutos
        h,hs hora/horas f
        t tonelada/toneladas f
        ha hectare/hectares
        °C grau_Celsius/graus_Celsius
        °F grau_Fahrenheit/graus_Fahrenheit
        ° grau/graus
        dB decibel/decibéis
        kcal quilocaloria/quilocalorias f
        cv,CV cavalo/cavalos
        mph milha_por_hora/milhas_por_hora f
        mi milha/milhas f
        ft pé/pés
        lb,lbs libra/libras f
        ‰ por_mil
        """
    )
)
_CENT = noun("centavo/centavos")
_CURRENCIES = {
    **dict.fromkeys(("R$", "BRL"), Money(noun("real/reais"), _CENT)),
    **dict.fromkeys(("$", "US$", "USD"), Money(noun("dólar/dólares"), _CENT)),
    **dict.fromkeys(("€", "EUR"), Money(noun("euro/euros"), noun("centavo/centavos"))),
    **dict.fromkeys(("£", "GBP"), Money(noun("libra/libras", "f"), noun("pêni/pence"))),
    **dict.fromkeys(("CHF",), Money(noun("franco suíço/francos suíços"), noun("cêntimo/cêntimos"))),
    **dict.fromkeys(("¥", "JPY"), Money(noun("iene/ienes"))),
    **dict.fromkeys(("₽", "RUB"), Money(noun("rublo/rublos"), noun("copeque/copeques"))),
    **dict.fromkeys(("₹", "INR"), Money(noun("rúpia/rúpias", "f"))),
    **dict.fromkeys(("₩", "KRW"), Money(noun("won/wons"))),
}
_SCALES = {
    **dict.fromkeys(("milhão", "milhões", "mi"), noun("milhão/milhões")),
    **dict.fromkeys(("bilhão", "bilhões", "bi"), noun("bilhão/bilhões")),
    **dict.fromkeys(("trilhão", "trilhões", "tri"), noun("trilhão/trilhões")),
    "mil": noun("mil", ""),
}
_ABBREVIATIONS = {
    "Sr.": "senhor", "Sra.": "senhora", "Srta.": "senhorita", "Srs.": "senhores", "Sras.": "senhoras", "Dr.": "doutor", "Dra.": "doutora",
    "Drs.": "doutores", "Prof.": "professor", "Profa.": "professora", "Prof.ª": "professora", "Eng.": "engenheiro", "Sto.": "santo",
    "Sta.": "santa", "Gal.": "general", "Cel.": "coronel", "Exmo.": "excelentíssimo", "Exma.": "excelentíssima", "Ilmo.": "ilustríssimo",
    "Av.": "avenida", "etc.": "et cetera", "p. ex.": "por exemplo", "a. C.": "antes de Cristo", "d. C.": "depois de Cristo",
    "aprox.": "aproximadamente", "máx.": "máximo", "mín.": "mínimo", "depto.": "departamento", "tel.": "telefone", "pág.": "página",
    "págs.": "páginas", "Cia.": "companhia", "Ltda.": "limitada", "S.A.": "sociedade anônima", "V. Exa.": "vossa excelência", "vs.": "versus",
    "séc.": "século", "obs.": "observação", "apto.": "apartamento", "Jr.": "júnior", "Ex.mo": "excelentíssimo", "Pça.": "praça",
}  # fmt: skip
_NUMBERED = {
    "nº": "número", "n.º": "número", "n°": "número", "№": "número", "n.": "número", "núm.": "número", "pág.": "página", "págs.": "páginas",
    "p.": "página", "pp.": "páginas", "art.": "artigo", "arts.": "artigos", "cap.": "capítulo", "vol.": "volume", "fig.": "figura", "#": "número",
    "§": "parágrafo", "séc.": "século", "R.": "rua",
}  # fmt: skip
_TONGUE = Tongue(
    "pt",
    cardinal=_cardinal,
    form=lambda number: int(number.whole > 1 or number.scale is not None or not number.whole and not number.fraction and not number.part),
    decimals=lambda digits, gender: " ".join({"1": "uma", "2": "duas"}.get(digit, _SMALL[int(digit)]) if gender == "f" else _SMALL[int(digit)] for digit in digits),
    ratio=_ratio,
    half=" e ",
    portion=_portion,
    letters={"e": "é", "y": "ípsilon"},
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    comma="vírgula",
    point="ponto",
    minus="menos",
    plus="mais",
    to="a",
    versus="a",
    per=lambda unit: f"por {unit[0]}",
    percent=noun("por cento", ""),
    cents=" e ",
    whole_agrees=False,
    signs={
        "%": "por cento", "€": "euros", "&": "e", "+": "mais", "=": "igual a", "<": "menor que", ">": "maior que", "±": "mais ou menos",
        "×": "vezes", "÷": "dividido por", "§": "parágrafo", "@": "arroba", "#": "cerquilha", "~": "aproximadamente", "*": "vezes", "−": "menos",
        "$": "dólares", "£": "libras", "‰": "por mil", "©": "copyright", "≈": "aproximadamente", "≥": "maior ou igual a", "≤": "menor ou igual a",
        "R$": "reais", "°": "grau",
    },
    joined=lambda said, form: f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("EUA UE FBI CIA IBM BBC IPTU IPVA ICMS IA UTI ONG UFRJ UFMG OAB OMS CEO ABNT INSS".split()) - {"ONG"},
    web={".": "ponto", "@": "arroba", "/": "barra", "-": "hífen", "_": "sublinhado", ":": "dois pontos", "?": "interrogação", "=": "igual", "&": "e", "#": "cerquilha", "%": "por cento", "+": "mais", "~": "til"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTH_NAMES = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()
_MONTHS = month_numbers(
    "janeiro jan", "fevereiro fev", "março mar", "abril abr", "maio mai", "junho jun", "julho jul", "agosto ago", "setembro set",
    "outubro out", "novembro nov", "dezembro dez",
)  # fmt: skip


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{'primeiro' if day == 1 else _cardinal(day, '')} de {_MONTH_NAMES[month - 1]}"
    return f"{words} de {_NUMBERS.digits(year) if year[0] == '0' else _cardinal(int(year), '')}" if year else ended(match, words)


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = f"{_cardinal(hour, 'f')} hora{'s' * (hour != 1)}"
    if second is not None:
        minutes, seconds = (_NUMBERS.counted(Quantity(n), _UNITS[unit]) for n, unit in ((minute, "min"), (second, "s")))
        return f"{words} e {minutes} e {seconds}"
    return f"{words} e {_cardinal(minute, '')}" if minute else words


def _hour(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if hour > 24 or minute > 59:
        return None
    evening = re.match(r" da (?:tarde|noite)(?!\w)", match.string[match.end() :])
    return _clock(hour - 12 if evening and hour > 12 else hour, minute, None, "")


def _in_half(match: re.Match[str]) -> str | None:
    hour, minute, *rest = map(int, match["time"].split(":"))
    if not 12 < hour < 24 or minute > 59:
        return None
    return _clock(hour - 12, minute, rest[0] if rest else None, "")


_FEMININE = re.compile(r"(?:as?|ção|ções|são|sões|dades?|gem|gens|tudes?|vez|vezes|mulher|mulheres|noites?|tardes?|partes?|cidades?|leis?|mães?|mãos?)$", re.IGNORECASE)
_NOT_FEMININE = re.compile(
    r"^(?:dias?|mapas?|planetas?|cometas?|poetas?|sofás?|colegas?|atletas?|pijamas?|.*[eao]mas?|.*istas?|a|à|às|as|da|das|na|nas|uma|para|contra"
    r"|era|fora|cada|esta|essa|nada|já|vá|mas|mais|atrás|além|agora|ainda|apenas|gramas?|pela|pelas|la|há|lá|será|está|dará|aquela)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, before: str, behind: str) -> str:
    word = next_word(behind)
    if number.part or number.fraction and number.scale is None:
        return ""
    return "f" if word and _FEMININE.search(word) and not _NOT_FEMININE.match(word) else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    if not 0 < number < 10**6:
        return None
    ending = match["ending"]
    return _ordinal(number, {"ª": "a", "a": "a", "as": "as", "ªs": "as", "os": "os", "ºs": "os"}.get(ending, "o"))


_KINGS = (
    "Pedro João Luís Luiz Carlos Manuel Afonso Sancho Fernando Filipe Felipe Henrique José Miguel Duarte Dinis Sebastião Bento Pio Leão Jorge"
    " Eduardo Guilherme Frederico Napoleão Alexandre Nicolau Ivan Catarina Isabel Elizabeth Alberto Leopoldo Gregório Inocêncio Urbano"
    " Clemente Ramsés Vítor Emanuel Jaime Ricardo Roberto Paulo Maximiliano Gustavo Cristiano Sisto Júlio Bonifácio Constantino Ptolomeu Dario"
    " Cleópatra Maria Joana Francisco Oto Margarida Juan Otão"
).split()  # fmt: skip
_QUEENS = frozenset("Catarina Isabel Elizabeth Cleópatra Maria Joana Margarida".split())


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    ending = "a" if match["name"] in _QUEENS else "o"
    return f"{match['name']} {_ordinal(number, ending) if number <= 10 else _cardinal(number, '')}"


def _century(match: re.Match[str]) -> str | None:
    romans = re.findall(r"[IVX]+", match["romans"])
    numbers = [from_roman(roman) for roman in romans]
    if not all(numbers):
        return None
    said = iter([_ordinal(number) if number <= 10 else _cardinal(number, "") for number in numbers])
    words = re.sub(r"[IVX]+(?!\w)", lambda _: next(said), match["romans"])
    return f"{match['before']} {re.sub(r' ?[-–] ?', ' a ', words)}"


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['before']} {_cardinal(number, '')}" if number else None


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_RULES: tuple[Rule, ...] = (
    *links(_NUMBERS),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("etc.",))),
    *don("D.", "dom"),
    Rule("date", re.compile(rf"{LEFT}1[°ºo](?= de (?i:{alternatives(_MONTHS)})(?!\w))"), lambda _: "primeiro"),
    *dates(_MONTHS, _date, between=r"de\s", behind=r"de\s"),
    Rule("time", re.compile(rf"{LEFT}(?P<time>\d\d(?::\d\d){{1,2}})(?= da (?:tarde|noite)(?!\w))"), _in_half),
    times(_clock, words="h|hs|horas", to="a", zones=zone_said(_NUMBERS)),
    Rule("time", re.compile(rf"{LEFT}(?P<hour>\d\d?)\s?h(?:\s?(?P<minute>\d\d)(?:\s?min)?)?(?![\w/])"), _hour),
    *money(_NUMBERS),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª]s?|(?<!\d\d\d)[ao]s?)(?!\w|\s?[CF]\b)"), _ordinal_rule),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C\b|F\b|c\b)[a-zA-Z]|\s*[-–:.)])"), _ordinal_rule),
    *measures(_NUMBERS),
    Rule("roman", re.compile(r"(?<!\w)(?P<before>(?i:séculos?)) (?P<romans>[IVX]+(?:(?:, | e | ?[-–] ?| ao? )[IVX]+)*)(?!\w)"), _century),
    Rule("roman", re.compile(rf"(?<!\w)(?P<name>{alternatives(_KINGS)}) (?P<roman>{ROMAN})"), _monarch),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?i:capítulo|tomo|ato|parte|volume|artigo|título|livro|anexo|fase|tipo|grupo)) (?P<roman>{ROMAN})"), _roman),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>[A-ZÀ-Ý][a-zà-ÿ]+) (?P<roman>(?=[IVX]{{2}}){ROMAN})"), _roman),
    *plain(_NUMBERS, _agree),
    *signs(_TONGUE),
    *initials(_TONGUE),
)  # fmt: skip
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽¥*\u2212₩₹]|\.\s?\w|[A-ZÀ-Ý]{2}|\b[A-Z]\.|(?i:\b(?:etc|sr|sra|dr|dra|av|tel|cia|ltda|aprox)\.)"
    r"|\b[A-ZÀ-Ý]\w+ [IVX]+\b|\b(?i:séculos?) [IVX]"
)
LANGUAGE = Speaker("pt", _RULES, needed=_NEEDED, before=plainly)
