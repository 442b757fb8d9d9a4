"""Abbreviations, initials and acronyms."""

import re

from stages.text.spoken.languages.en.sentences import STARTER, ends_after
from stages.text.spoken.languages.en.spelling import LETTER_A, spelled
from stages.text.spoken.rules import rule


def _table(rows: str) -> dict[str, str]:
    pairs = (row.split("=") for row in rows.split(";") if row.strip())
    return {short.strip(): words.strip() for short, words in pairs}


_TITLES = _table(
    "mr=Mister; mrs=Missus; ms=Miz; dr=Doctor; drs=Doctors; prof=Professor; rev=Reverend; hon=Honorable; gen=General;"
    "col=Colonel; lt=Lieutenant; capt=Captain; cpt=Captain; sgt=Sergeant; cpl=Corporal; pvt=Private; maj=Major;"
    "cmdr=Commander; adm=Admiral; gov=Governor; sen=Senator; rep=Representative; pres=President; supt=Superintendent;"
    "messrs=Messieurs; mme=Madame; mlle=Mademoiselle; fr=Father; bp=Bishop; msgr=Monsignor; mt=Mount; ft=Fort;"
    "insp=Inspector; det=Detective; atty=Attorney; brig=Brigadier; amb=Ambassador; sra=Senora; sr=Senor"
)
"""Before a name."""
_WITHOUT_POINT = ("mr", "mrs", "ms", "dr", "prof", "lt", "sgt", "capt", "mt", "messrs")
_AFTER_NAMES = _table(
    "jr=Junior; sr=Senior; esq=Esquire; inc=Incorporated; ltd=Limited; corp=Corporation; co=Company; bros=Brothers;"
    "mfg=Manufacturing; assn=Association; assoc=Associates; intl=International"
)
_STREETS = _table(
    "ave=Avenue; blvd=Boulevard; rd=Road; ln=Lane; pkwy=Parkway; hwy=Highway; sq=Square; ct=Court; pl=Place; expy=Expressway;"
    "ter=Terrace; cir=Circle; dr=Drive"
)
_NUMBERED = _table(
    "no=number; nos=numbers; nr=number; vol=volume; vols=volumes; p=page; pp=pages; pg=page; ch=chapter; chap=chapter; fig=figure;"
    "figs=figures; sec=section; sect=section; art=article; para=paragraph; eq=equation; ex=example; apt=apartment; rm=room;"
    "ste=suite; ext=extension; tel=telephone; ver=version; v=version; op=opus; ca=circa; c=circa; cap=chapter; app=appendix; bk=book;"
    "pt=part; dept=department; bldg=building; fl=floor; rte=route; rt=route; hwy=highway; mk=mark"
)
"""Before a number."""
_ANYWHERE = _table(
    "etc=et cetera; vs=versus; e.g=for example; i.e=that is; cf=compare; viz=namely; approx=approximately; dept=department; al=al;"
    "est=established; govt=government; univ=university; misc=miscellaneous; max=maximum; min=minimum; avg=average; incl=including;"
    "excl=excluding; ed=editor; eds=editors; ibid=ibid; tel=telephone; ext=extension; appt=appointment; asst=assistant;"
    "resp=respectively; abbr=abbreviation; esp=especially; orig=originally; temp=temperature; lat=latitude; long=longitude;"
    "apt=apartment; natl=national; intl=international; hr=hour; hrs=hours; mins=minutes; secs=seconds"
)
"""Anywhere, if a point follows; a sentence rarely ends in these as words."""
_ALWAYS = (
    "etc",
    "vs",
    "e.g",
    "i.e",
    "viz",
    "approx",
    "dept",
    "govt",
    "univ",
    "cf",
    "ibid",
    "incl",
    "excl",
    "misc",
    "appt",
    "asst",
    "eds",
)
"""Of these, no word is written so: they are read whatever follows; the others only before a word in small letters."""
_WITHIN = ("e.g", "i.e", "vs", "viz", "cf", "approx")
"""No sentence ends after these."""
_BARE = _table(
    "vs=versus; etc=et cetera; approx=approximately; w/o=without; w/=with; b/c=because; c/o=care of; a/k/a=also known as; ie=that is; eg=for example"
)
_MONTHS = _table(
    "jan=January; feb=February; aug=August; sept=September; sep=September; oct=October; nov=November; dec=December"
)
_MAY_BE_SAINT = r"(?:Mount|Mt\.|Fort|Ft\.|Port|Lake|Old|East|West|North|South|New|Sault|Little|Great|Church of|Bay)"
_NOT_INITIALS = ("vitamin", "plan", "grade", "type", "class", "hepatitis", "part", "section", "appendix", "exhibit") + (
    "group",
    *("team", "model", "option", "schedule", "figure", "table", "and", "chapter", "was", "is", "am", "than", "as"),
)
"""Words whose letter ends a sentence rather than begins a name."""
_MISREAD = "FAQ|IQ|ICU|SOS|YMCA|YWCA|ETA|IRA|EQ|DOB|AKA|VIP|COO|UAE|EUR|IOU|EKG|ECG|EEG|UX|IDE|RIP|AD|ETF|IED|IUD|OAP|OED|ADD|ESA|LED"
"""Spelt acronyms that espeak-ng takes for words."""
_SPELT = f"{_MISREAD}|FBI|CIA|EU|UN|US|USA|UK|NBA|IMF|IBM|AMD|ABC|UFO|CEO|CFO|CTO|CIO|ATM|API|URL|GPU|CPU|UI|IP|ISP|AI|UAV|SUV|USB|MBA|NGO|GMO|EV|ID|IV|OS|PA|PE|EP"
"""Those with a plural."""
_AFTER_A = (
    "is|was|are|were|and|or|to|has|had|in|of|for|with|on|at|than|as|by|from|can|will|which|that|but|minus|plus|"
    + ("zero|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety")
)
"""Before these A is a letter, not the article."""
_LETTERS = r"(?:[A-Za-z]\.){2,}(?:[A-Za-z](?![\w]))?"
"""Letters with points: U.S., a.k.a., e.s.t."""


def _stop(match: re.Match[str]) -> str:
    return "." if match[0].endswith(".") and ends_after(match) else ""


def _title(match: re.Match[str]) -> str:
    return _capitalised(_TITLES[match["short"].lower()].lower(), match["short"])


def _after_name(match: re.Match[str]) -> str:
    return _AFTER_NAMES[match["short"].lower()] + _stop(match)


def _street(match: re.Match[str]) -> str:
    return _STREETS[match["short"].lower()] + _stop(match)


def _saint(match: re.Match[str]) -> str | None:
    """Returns `Saint` before a name, `Street` after one."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    named = re.search(r"(?:[A-Z][\w'’]*|\d(?:st|nd|rd|th)|[\ue000-\uf8ff]) $", before)
    before_name = re.match(r" [A-Z]", after) and not re.match(rf" {STARTER}\b", after)
    if not before_name:
        return f"Street{'.' if match[0].endswith('.') and ends_after(match) else ''}" if named else None
    addressed = re.search(r"(?:\d+|[\ue000-\uf8ff]) (?:[A-Z]\w* )*[A-Z]\w* $", before)
    if addressed and not re.search(rf"{_MAY_BE_SAINT} $", before):
        return f"Street{_stop(match)}"
    return "Saint"


def _numbered(match: re.Match[str]) -> str:
    return f"{_capitalised(_NUMBERED[match['short'].lower()], match['short'])} "


def _capitalised(words: str, written: str) -> str:
    """Returns words with a capital if what was written has one."""
    return words[0].upper() + words[1:] if written[0].isupper() else words


def _abbreviation(match: re.Match[str]) -> str | None:
    short = match["short"].lower()
    if short not in _ALWAYS and not re.match(r",|;| [a-z0-9(]", match.string[match.end() :]):
        return None
    stop = "" if short in _WITHIN else _stop(match)
    return _capitalised(_ANYWHERE[short], match["short"]) + stop


def _bare(match: re.Match[str]) -> str:
    return _BARE[match[0].lower()]


def _month(match: re.Match[str]) -> str:
    return _MONTHS[match["short"].lower()] + _stop(match)


def _pointed(match: re.Match[str]) -> str | None:
    letters = match[0].replace(".", "")
    if len(letters) == 2 and letters[0].islower() != letters[1].islower():
        return None
    return spelled(letters) + (_stop(match) if match[0].endswith(".") else "")


def _initial(match: re.Match[str]) -> str | None:
    """Returns a letter before a name without its point."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    previous = before.rstrip().rsplit(" ", 1)[-1].lower()
    if re.match(rf" ?{STARTER}\b(?!['’])", after) and not before.endswith(". "):
        return None
    if match["letter"] == "I" and (
        not re.match(r" ?[A-Z](?:\.|[a-z])", after) or (previous.strip(".").islower() and not before.endswith(". "))
    ):
        return None
    if previous in _NOT_INITIALS:
        return None
    return f"{spelled(match['letter'])}{'' if after.startswith(' ') else ' '}"


def _plural(match: re.Match[str]) -> str:
    first, last = match["letters"][:-1], match["letters"][-1]
    return f"{spelled(first)} {LETTER_A if last == 'A' else last}'s"


def _spelt(match: re.Match[str]) -> str:
    return spelled(match[0])


def _letter_a(match: re.Match[str]) -> str:  # noqa: ARG001
    return LETTER_A


def _small_saint(match: re.Match[str]) -> str:
    """Returns what `st.` means in a text without capitals: a saint before a word, else a street."""
    return "saint" if re.match(r" [a-z]", match.string[match.end() :]) else f"street{_stop(match)}"


def _small_initial(match: re.Match[str]) -> str | None:
    """Returns an initial in a text without capitals."""
    if not match.string.islower():
        return None
    return f"{spelled(match[0])}{'' if match.string[match.end() :].startswith(' ') else ' '}"


def _with_and(match: re.Match[str]) -> str:
    return " and ".join(map(spelled, match[0].split("&")))


def _any(table: dict[str, str]) -> str:
    return "|".join(re.escape(short) for short in sorted(table, key=len, reverse=True))


RULES = (
    rule("abbreviation", r"(?<![\w.])(?:PhD|Ph\.? ?D\.)(?!\w)", lambda match: f"P H D{_stop(match)}"),
    rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(_TITLES)}))\.(?= ?[A-Z])(?! {STARTER}\b)", _title),
    rule(
        "abbreviation",
        rf"(?<![\w.])(?P<short>(?i:{'|'.join(_WITHOUT_POINT[:4])}))\.?(?= [a-zA-Z])(?! {STARTER}\b)",
        _title,
    ),
    rule("abbreviation", r"(?<![\w.])S[tT]\.?(?!\w)(?=[ ]|[,.;:!?)]|$)", _saint),
    rule(
        "abbreviation",
        rf"(?<=[a-z\d\ue000-\uf8ff] )(?P<short>{'|'.join(short.capitalize() for short in _STREETS)})\.(?!\w)",
        _street,
    ),
    rule(
        "abbreviation",
        rf"(?<=[\w.,] )(?P<short>{'|'.join(short.capitalize() for short in _AFTER_NAMES)})\.(?!\w)",
        _after_name,
    ),
    rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(_NUMBERED)}))\. ?(?=[\d#\ue000-\uf8ff])", _numbered),
    rule("abbreviation", r"(?<![\w.])(?P<short>(?<=[a-z,] )No|Vol|vol|pp|Fig|fig) (?=[\d\ue000-\uf8ff])", _numbered),
    rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(_ANYWHERE)}))\.(?![\w])", _abbreviation),
    rule("abbreviation", r"(?<![\w./])(?:vs|etc|approx|w/o|w/|b/c|c/o|ie|eg)(?!\w|\.\w)", _bare, ignore_case=True),
    rule("abbreviation", rf"(?<![\w.])(?P<short>{'|'.join(short.capitalize() for short in _MONTHS)})\.(?!\w)", _month),
    rule("abbreviation", rf"(?<![\w.]){_LETTERS}(?!\w)", _pointed),
    rule("abbreviation", r"(?<![\w.'’])(?P<letter>[A-Z])\.(?= ?[A-Z](?:[\w'’-]|\.))", _initial),
    rule("acronym", rf"(?<![\w-])(?P<letters>[B-DF-HJ-NP-TV-XZ]{{2,5}}|{_SPELT})['’]?s(?!\w)", _plural),
    rule("acronym", rf"(?<![\w&-])(?:{_MISREAD})(?![\w&-])", _spelt),
    rule("abbreviation", r"(?<![\w.])s[tT]\.(?!\w)", _small_saint),
    rule("abbreviation", r"(?<![\w.'’])[b-hj-z]\.(?= [a-z](?:[\w'’-]|\.)| ?[a-z]\.)", _small_initial),
    rule("acronym", r"(?<![\w&])[A-Z]{1,3}&[A-Z]{1,3}(?![\w&])", _with_and),
    rule("acronym", rf"(?<=[a-z0-9] )A(?=$|[.,;:!?)]| (?:{_AFTER_A})\b)", _letter_a),
)
