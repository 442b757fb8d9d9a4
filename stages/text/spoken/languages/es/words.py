"""Units, currencies, abbreviations and signs in Spanish."""

from stages.text.spoken.european.numbers import Numbers
from stages.text.spoken.european.tongue import Money, Noun, Tongue, below_two, listed, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.languages.es.numbers import cardinal, decimals, mixed, ratio

_LENGTHS = metric(
    {"m": noun("metro/metros")}, {"k": "kiló", "c": "centí", "m": "milí", "d": "decí", "µ": "micró", "n": "nanó"}
)
UNITS = (
    metric(
        nouns(
            """
            g gramo/gramos
            l,L litro/litros
            W vatio/vatios
            V voltio/voltios
            A amperio/amperios
            Hz hercio/hercios
            J julio/julios
            Pa pascal/pascales
            N newton/newtons
            B byte/bytes
            Wh vatio_hora/vatios_hora
            """
        ),
        {
            "k": "kilo",
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
    | powers(_LENGTHS, ("cuadrado", "cuadrados"), ("cúbico", "cúbicos"), before=False)
    | nouns(
        """
        s,seg,sec segundo/segundos
        ms milisegundo/milisegundos
        min minuto/minutos
        h,hs,hrs hora/horas f
        t tonelada/toneladas f
        ha hectárea/hectáreas f
        °C grado_centígrado/grados_centígrados
        °F grado_Fahrenheit/grados_Fahrenheit
        ° grado/grados
        dB decibelio/decibelios
        kcal kilocaloría/kilocalorías f
        cv,CV caballo/caballos
        mph milla_por_hora/millas_por_hora f
        mi milla/millas f
        ft pie/pies
        psi p_s_i
        lb,lbs libra/libras f
        oz onza/onzas f
        ‰ por_mil
        """
    )
)
_CENTAVO, _CENTIMO = noun("centavo/centavos"), noun("céntimo/céntimos")
_DOLLARS = {
    "": ("$", "US$", "USD", "U$S"),
    " canadiense": ("CAD", "CA$", "C$"),
    " australiano": ("AUD", "A$", "AU$"),
    " de Hong Kong": ("HKD", "HK$"),
    " neozelandés": ("NZD",),
    " de Singapur": ("SGD",),
}


def _dollar(kind: str, sign: str) -> Money:
    of_us = " estadounidense" if sign in ("US$", "USD", "U$S") else kind
    several = (
        ""
        if of_us.startswith(" de ") or not of_us
        else of_us.replace("és", "es") + ("es" if of_us.endswith("és") else "s")
    )
    return Money(noun(f"dólar{of_us}/dólares{several or of_us}"), _CENTAVO)


_MORE = """
    UYU peso_uruguayo/pesos_uruguayos
    DOP peso_dominicano/pesos_dominicanos
    CUP peso_cubano/pesos_cubanos
    PYG,₲ guaraní/guaraníes
    VES bolívar/bolívares
    SEK corona_sueca/coronas_suecas f
    NOK corona_noruega/coronas_noruegas f
    DKK corona_danesa/coronas_danesas f
    CZK corona_checa/coronas_checas f
    PLN esloti/eslotis
    ZAR rand/rands
    THB baht/bahts
    EGP libra_egipcia/libras_egipcias f
    ANG florín_antillano/florines_antillanos
    BBD dólar_barbadense/dólares_barbadenses
    BSD dólar_bahameño/dólares_bahameños
    BZD dólar_beliceño/dólares_beliceños
    JMD dólar_jamaiquino/dólares_jamaiquinos
    TTD dólar_de_Trinidad_y_Tobago/dólares_de_Trinidad_y_Tobago
    TWD dólar_taiwanés/dólares_taiwaneses
    HTG gurde/gurdes
    SVC colón_salvadoreño/colones_salvadoreños
    MAD dírham_marroquí/dírhams_marroquíes
    TRY lira_turca/liras_turcas f
    PHP peso_filipino/pesos_filipinos
    HUF forinto/forintos
"""
_CURRENCIES = {
    **{code: Money(unit, _CENTAVO) for code, unit in nouns(_MORE).items()},
    **{sign: _dollar(kind, sign) for kind, signs_of in _DOLLARS.items() for sign in signs_of},
    **dict.fromkeys(("€", "EUR"), Money(noun("euro/euros"), _CENTIMO)),
    **dict.fromkeys(("£", "GBP"), Money(noun("libra/libras", "f"), noun("penique/peniques"))),
    **dict.fromkeys(("CHF",), Money(noun("franco suizo/francos suizos"), _CENTIMO)),
    **dict.fromkeys(("fr",), Money(noun("franco/francos"), _CENTIMO)),
    **dict.fromkeys(("¥", "JPY"), Money(noun("yen/yenes"), _CENTAVO)),
    **dict.fromkeys(("₩", "KRW"), Money(noun("won/wones"))),
    **dict.fromkeys(("₽", "RUB"), Money(noun("rublo/rublos"), noun("kopek/kopeks"))),
    **dict.fromkeys(("₡", "CRC"), Money(noun("colón/colones"), _CENTIMO)),
    **dict.fromkeys(("₧", "ptas.", "ptas", "pts.", "pta."), Money(noun("peseta/pesetas", "f"), _CENTIMO)),
    **dict.fromkeys(("MXN", "MX$"), Money(noun("peso mexicano/pesos mexicanos"), _CENTAVO)),
    **dict.fromkeys(("ARS", "AR$"), Money(noun("peso argentino/pesos argentinos"), _CENTAVO)),
    **dict.fromkeys(("COP",), Money(noun("peso colombiano/pesos colombianos"), _CENTAVO)),
    **dict.fromkeys(("CLP",), Money(noun("peso chileno/pesos chilenos"), _CENTAVO)),
    **dict.fromkeys(("BRL", "R$"), Money(noun("real brasileño/reales brasileños"), _CENTAVO)),
    **dict.fromkeys(("PEN", "S/"), Money(noun("sol/soles"), _CENTIMO)),
    **dict.fromkeys(("GTQ", "Q"), Money(noun("quetzal/quetzales"), _CENTAVO)),
    **dict.fromkeys(("NIO",), Money(noun("córdoba/córdobas", "f"), _CENTAVO)),
    **dict.fromkeys(("PAB",), Money(noun("balboa/balboas"), _CENTIMO)),
    **dict.fromkeys(("AWG",), Money(noun("florín arubeño/florines arubeños"), _CENTAVO)),
    **dict.fromkeys(("₹", "Rs", "INR"), Money(noun("rupia/rupias", "f"), noun("paisa/paisas", "f"))),
    **dict.fromkeys(("CNY",), Money(noun("yuan/yuanes"))),
    **dict.fromkeys(("HNL",), Money(noun("lempira/lempiras"), _CENTAVO)),
    **dict.fromkeys(("BOB",), Money(noun("boliviano/bolivianos"), _CENTAVO)),
    **dict.fromkeys(("kr",), Money(noun("corona/coronas", "f"))),
    **dict.fromkeys(("mk",), Money(noun("marco/marcos"))),
}
_SCALES = {
    **dict.fromkeys(("millón", "millon", "millones"), noun("millón/millones")),
    **dict.fromkeys(("billón", "billones"), noun("billón/billones")),
    **dict.fromkeys(("trillón", "trillones"), noun("trillón/trillones")),
    "mil millones": noun("mil millones"),
    "mill.": noun("millones"),
}
_ABBREVIATIONS = {
    "Sr.": "señor",
    "Sra.": "señora",
    "Srta.": "señorita",
    "Sres.": "señores",
    "Sras.": "señoras",
    "Dr.": "doctor",
    "Dra.": "doctora",
    "Drs.": "doctores",
    "Dña.": "doña",
    "D.ª": "doña",
    "Prof.": "profesor",
    "Profa.": "profesora",
    "Ud.": "usted",
    "Uds.": "ustedes",
    "Vd.": "usted",
    "Vds.": "ustedes",
    "Ing.": "ingeniero",
    "Lic.": "licenciado",
    "Gral.": "general",
    "Avda.": "avenida",
    "Av.": "avenida",
    "pza.": "plaza",
    "plza.": "plaza",
    "esq.": "esquina",
    "dcha.": "derecha",
    "izda.": "izquierda",
    "izq.": "izquierda",
    "etc.": "etcétera",
    "p. ej.": "por ejemplo",
    "ej.": "ejemplo",
    "EE. UU.": "Estados Unidos",
    "EE UU": "Estados Unidos",
    "EEUU": "Estados Unidos",
    "JJ. OO.": "Juegos Olímpicos",
    "a. C.": "antes de Cristo",
    "d. C.": "después de Cristo",
    "a. de C.": "antes de Cristo",
    "d. de C.": "después de Cristo",
    "aprox.": "aproximadamente",
    "máx.": "máximo",
    "mín.": "mínimo",
    "depto.": "departamento",
    "dpto.": "departamento",
    "Sto.": "santo",
    "Sta.": "santa",
    "S. A.": "sociedad anónima",
    "c/": "calle",
    "tel.": "teléfono",
    "tfno.": "teléfono",
    "admón.": "administración",
    "atte.": "atentamente",
    "pág.": "página",
    "págs.": "páginas",
    "núm.": "número",
    "ntra.": "nuestra",
    "vs.": "versus",
    "Cía.": "compañía",
    "hnos.": "hermanos",
    "FF. AA.": "Fuerzas Armadas",
}
NUMBERED = {
    "nº": "número",
    "n.º": "número",
    "n°": "número",
    "№": "número",
    "núm.": "número",
    "pág.": "página",
    "págs.": "páginas",
    "p.": "página",
    "pp.": "páginas",
    "art.": "artículo",
    "arts.": "artículos",
    "cap.": "capítulo",
    "vol.": "volumen",
    "fig.": "figura",
    "t.": "tomo",
    "#": "número",
    "km.": "kilómetro",
}


def _portion(over: int, under: int, thing: Noun) -> str | None:
    if (over, under) == (1, 2):
        return f"{'media' if thing.gender == 'f' else 'medio'} {thing[0]}"
    said = ratio(over, under)
    return said and f"{said} de {thing[0]}"


TONGUE = Tongue(
    "es",
    cardinal=cardinal,
    form=below_two,
    decimals=decimals,
    ratio=ratio,
    mixed=mixed,
    portion=_portion,
    halves={"m": "medio", "f": "media"},
    letters={"y": "i griega"},
    scales=_SCALES,
    units=UNITS,
    currencies=_CURRENCIES,
    comma="coma",
    point="punto",
    minus="menos",
    plus="más",
    to="a",
    over="sobre",
    versus="a",
    per=lambda unit: f"por {unit[0]}",
    percent=noun("por ciento", ""),
    signs={
        "%": "por ciento",
        "€": "euros",
        "&": "y",
        "+": "más",
        "=": "igual a",
        "<": "menor que",
        ">": "mayor que",
        "±": "más menos",
        "×": "por",
        "÷": "entre",
        "§": "párrafo",
        "@": "arroba",
        "#": "almohadilla",
        "~": "aproximadamente",
        "*": "por",
        "−": "menos",
        "$": "dólares",
        "£": "libras",
        "‰": "por mil",
        "©": "copyright",
        "≈": "aproximadamente",
        "≥": "mayor o igual que",
        "≤": "menor o igual que",
        "°": "grado",
    },
    joined=lambda said, form: f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset(listed("ADN UE FBI CIA DNI IBM BBC USA UCI PP PIB ARN RTVE CEO IRPF ITV EPS ADSL")) - {"PP"},
    web={
        ".": "punto",
        "@": "arroba",
        "/": "barra",
        "-": "guion",
        "_": "guion bajo",
        ":": "dos puntos",
        "?": "interrogación",
        "=": "igual",
        "&": "y",
        "#": "almohadilla",
        "%": "por ciento",
        "+": "más",
        "~": "tilde",
    },
)
NUMBERS = Numbers(TONGUE)
