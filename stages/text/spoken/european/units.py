"""Units with their prefixes, from a language's names of both."""

from collections.abc import Mapping

from stages.text.spoken.european.tongue import Noun

_SMALL = (
    "mm cm dm km µm nm mg kg µg ml cl dl hl mW kW MW GW mV kV mA Hz kHz MHz GHz kJ MJ kPa hPa MPa kN kB"
    " MB GB TB Wh kWh MWh GWh ms µs ns"
)


def metric(names: Mapping[str, Noun], prefixes: Mapping[str, str]) -> dict[str, Noun]:
    """Returns the units that are written with a prefix, such as km and kWh, and those of area and volume.

    Args:
        names: Units without a prefix, by symbol: m, g, l, W, V, A, Hz, J, Pa, N, B, Wh, s.
        prefixes: Prefixes by symbol: k, c, m and so on.
    """
    made = dict(names)
    for symbol in _SMALL.split():
        base = symbol[1:]
        if base in names and symbol[0] in prefixes:
            forms = tuple(prefixes[symbol[0]] + form[:1].lower() + form[1:] for form in names[base].forms)
            made[symbol] = Noun(forms, names[base].gender)
    made |= {symbol.replace("µ", "μ"): noun for symbol, noun in made.items() if "µ" in symbol}
    return made


def powers(
    units: Mapping[str, Noun], square: tuple[str, ...], cubic: tuple[str, ...], *, before: bool
) -> dict[str, Noun]:
    """Returns units of area and volume from those of length.

    Args:
        units: Units of length by symbol.
        square: The word for square, by the noun's form.
        cubic: The word for cubic, by the noun's form.
        before: Whether the word stands before the noun: as its beginning if it ends with a hyphen, else as a word.
    """
    made: dict[str, Noun] = {}
    for symbol, noun in units.items():
        for word, signs in ((square, "²2"), (cubic, "³3")):
            forms = []
            for number, form in enumerate(noun.forms):
                power = word[min(number, len(word) - 1)]
                if power.endswith("-"):
                    forms.append(power[:-1] + form[:1].lower() + form[1:])
                else:
                    forms.append(f"{power} {form}" if before else f"{form} {power}")
            made |= {f"{symbol}{sign}": Noun(tuple(forms), noun.gender) for sign in signs}
    return made
