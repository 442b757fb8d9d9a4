"""Units, currencies, abbreviations and signs in Portuguese."""

from stages.text.spoken.european.numbers import Numbers
from stages.text.spoken.european.tongue import Money, Tongue, listed, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.languages.pt.numbers import SMALL, cardinal, portion, ratio

_LENGTHS = metric(
    {"m": noun("metro/metros")}, {"k": "quilô", "c": "centí", "m": "milí", "d": "decí", "µ": "micrô", "n": "nanô"}
)
UNITS = (
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
        {
            "k": "quilo",
            "c": "centi",
            "m": "mili",
            "d": "deci",
            "h": "hecto",
            "µ": "micro",
            "n": "nano",
            "M": "mega",
            "G": "giga",
            "T": "tera",
        },
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
    "Sr.": "senhor",
    "Sra.": "senhora",
    "Srta.": "senhorita",
    "Srs.": "senhores",
    "Sras.": "senhoras",
    "Dr.": "doutor",
    "Dra.": "doutora",
    "Drs.": "doutores",
    "Prof.": "professor",
    "Profa.": "professora",
    "Prof.ª": "professora",
    "Eng.": "engenheiro",
    "Sto.": "santo",
    "Sta.": "santa",
    "Gal.": "general",
    "Cel.": "coronel",
    "Exmo.": "excelentíssimo",
    "Exma.": "excelentíssima",
    "Ilmo.": "ilustríssimo",
    "Av.": "avenida",
    "etc.": "et cetera",
    "p. ex.": "por exemplo",
    "a. C.": "antes de Cristo",
    "d. C.": "depois de Cristo",
    "aprox.": "aproximadamente",
    "máx.": "máximo",
    "mín.": "mínimo",
    "depto.": "departamento",
    "tel.": "telefone",
    "pág.": "página",
    "págs.": "páginas",
    "Cia.": "companhia",
    "Ltda.": "limitada",
    "S.A.": "sociedade anônima",
    "V. Exa.": "vossa excelência",
    "vs.": "versus",
    "séc.": "século",
    "obs.": "observação",
    "apto.": "apartamento",
    "Jr.": "júnior",
    "Ex.mo": "excelentíssimo",
    "Pça.": "praça",
}
NUMBERED = {
    "nº": "número",
    "n.º": "número",
    "n°": "número",
    "№": "número",
    "n.": "número",
    "núm.": "número",
    "pág.": "página",
    "págs.": "páginas",
    "p.": "página",
    "pp.": "páginas",
    "art.": "artigo",
    "arts.": "artigos",
    "cap.": "capítulo",
    "vol.": "volume",
    "fig.": "figura",
    "#": "número",
    "§": "parágrafo",
    "séc.": "século",
    "R.": "rua",
}
TONGUE = Tongue(
    "pt",
    cardinal=cardinal,
    form=lambda number: int(
        number.whole > 1 or number.scale is not None or (not number.whole and not number.fraction and not number.part)
    ),
    decimals=lambda digits, gender: " ".join(
        {"1": "uma", "2": "duas"}.get(digit, SMALL[int(digit)]) if gender == "f" else SMALL[int(digit)]
        for digit in digits
    ),
    ratio=ratio,
    half=" e ",
    portion=portion,
    halves={"f": "meia"},
    letters={"e": "é", "o": "ó", "y": "ípsilon"},
    scales=_SCALES,
    units=UNITS,
    currencies=_CURRENCIES,
    comma="vírgula",
    point="ponto",
    minus="menos",
    plus="mais",
    to="a",
    over="de",
    versus="a",
    per=lambda unit: f"por {unit[0]}",
    percent=noun("por cento", ""),
    cents=" e ",
    whole_agrees=False,
    signs={
        "%": "por cento",
        "€": "euros",
        "&": "e",
        "+": "mais",
        "=": "igual a",
        "<": "menor que",
        ">": "maior que",
        "±": "mais ou menos",
        "×": "vezes",
        "÷": "dividido por",
        "§": "parágrafo",
        "@": "arroba",
        "#": "cerquilha",
        "~": "aproximadamente",
        "*": "vezes",
        "−": "menos",
        "$": "dólares",
        "£": "libras",
        "‰": "por mil",
        "©": "copyright",
        "≈": "aproximadamente",
        "≥": "maior ou igual a",
        "≤": "menor ou igual a",
        "R$": "reais",
        "°": "grau",
    },
    joined=lambda said, form: f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset(listed("EUA UE FBI CIA IBM BBC IPTU IPVA ICMS IA UTI ONG UFRJ UFMG OAB OMS CEO ABNT INSS"))
    - {"ONG"},
    web={
        ".": "ponto",
        "@": "arroba",
        "/": "barra",
        "-": "hífen",
        "_": "sublinhado",
        ":": "dois pontos",
        "?": "interrogação",
        "=": "igual",
        "&": "e",
        "#": "cerquilha",
        "%": "por cento",
        "+": "mais",
        "~": "til",
    },
)
NUMBERS = Numbers(TONGUE)
