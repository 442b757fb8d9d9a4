"""Whole numbers in words, of languages that num2words doesn't know or says as one word that espeak-ng misreads."""

from stages.text.spoken.european.numbers import thousands
from stages.text.spoken.european.tongue import listed

_TURKISH = listed("- bir iki üç dört beş altı yedi sekiz dokuz")
_TURKISH_TENS = listed("- on yirmi otuz kırk elli altmış yetmiş seksen doksan")
_TURKISH_GREAT = listed("- bin milyon milyar trilyon katrilyon kentilyon sekstilyon")


def turkish(number: int) -> str:
    """Returns a number under 10^24 in Turkish."""
    words: list[str] = []
    for group, power in thousands(number):
        hundreds, rest = divmod(group, 100)
        if hundreds:
            words += ([_TURKISH[hundreds]] if hundreds > 1 else []) + ["yüz"]
        words += ([_TURKISH_TENS[rest // 10]] if rest > 9 else []) + ([_TURKISH[rest % 10]] if rest % 10 else [])
        if power == 1 and group == 1:
            words.pop()
        words += [_TURKISH_GREAT[power]] if power else []
    return " ".join(words) or "sıfır"


_GREEK = listed(
    "- ένα δύο τρία τέσσερα πέντε έξι επτά οκτώ εννέα δέκα έντεκα δώδεκα δεκατρία δεκατέσσερα δεκαπέντε"
    " δεκαέξι δεκαεπτά"
    " δεκαοκτώ δεκαεννέα"
)
_GREEK_TENS = listed("- δέκα είκοσι τριάντα σαράντα πενήντα εξήντα εβδομήντα ογδόντα ενενήντα")
_GREEK_HUNDREDS = listed("- εκατόν διακόσια τριακόσια τετρακόσια πεντακόσια εξακόσια επτακόσια οκτακόσια εννιακόσια")
_GREEK_FEMININE = {
    "ένα": "μία",
    "τρία": "τρεις",
    "τέσσερα": "τέσσερις",
    "δεκατρία": "δεκατρείς",
    "δεκατέσσερα": "δεκατέσσερις",
}
_GREEK_GREAT = listed(
    "- - εκατομμύρι δισεκατομμύρι τρισεκατομμύρι τετράκις_εκατομμύρι πεντάκις_εκατομμύρι εξάκις_εκατομμύρι"
)


def greek(number: int) -> str:
    """Returns a number under 10^24 in Greek, in the neuter."""
    words: list[str] = []
    for group, power in thousands(number):
        said = _greek_hundreds(group)
        if power == 1:
            feminine = [_GREEK_FEMININE.get(word, word[:-1] + "ες" if word.endswith("όσια") else word) for word in said]
            words += ["χίλια"] if group == 1 else [*feminine, "χιλιάδες"]
        else:
            great = _GREEK_GREAT[power].replace("_", " ") if power else ""
            words += [*said, *([f"{great}ο" if group == 1 else f"{great}α"] if great else [])]
    return " ".join(words) or "μηδέν"


def _greek_hundreds(number: int) -> list[str]:
    if number == 100:
        return ["εκατό"]
    hundreds, rest = divmod(number, 100)
    words = [_GREEK_HUNDREDS[hundreds]] if hundreds else []
    if rest >= 20:
        tens, rest = divmod(rest, 10)
        words.append(_GREEK_TENS[tens])
    return [*words, _GREEK[rest]] if rest else words


_HINDI = listed(
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस"
    " इक्कीस बाईस तेईस चौबीस पच्चीस"
    " छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस"
    " चालीस इकतालीस बयालीस तैंतालीस"
    " चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरेपन चौवन पचपन छप्पन सत्तावन"
    " अट्ठावन उनसठ साठ इकसठ बासठ"
    " तिरेसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर"
    " सतहत्तर अठहत्तर उनासी अस्सी"
    " इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी नब्बे इक्यानबे बानबे तिरानबे चौरानबे"
    " पचानबे छियानबे सत्तानबे"
    " अट्ठानबे निन्यानबे"
)
_HINDI_GREAT = (
    (10**17, "शंख"),
    (10**15, "पद्म"),
    (10**13, "नील"),
    (10**11, "खरब"),
    (10**9, "अरब"),
    (10**7, "करोड़"),
    (10**5, "लाख"),
    (1000, "हज़ार"),
    (100, "सौ"),
)


def hindi(number: int) -> str:
    """Returns a number in Hindi, counted in hundreds of thousands (लाख) and of lakhs (करोड़)."""
    words: list[str] = []
    rest = number
    for worth, name in _HINDI_GREAT:
        count, rest = divmod(rest, worth)
        if count:
            words += [hindi(count), name]
    return " ".join([*words, _HINDI[rest]] if rest or not words else words)
