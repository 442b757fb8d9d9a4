"""Tables of abbreviations and acronyms."""

import re
from collections.abc import Iterable


def _table(rows: str) -> dict[str, str]:
    pairs = (row.split("=") for row in rows.split(";"))
    return {short.strip(): words.strip() for short, words in pairs}


TITLES = _table(
    "mr=Mister; mrs=Missus; ms=Miz; dr=Doctor; drs=Doctors; prof=Professor; rev=Reverend; hon=Honorable; gen=General; "
    "col=Colonel; lt=Lieutenant; capt=Captain; cpt=Captain; sgt=Sergeant; cpl=Corporal; pvt=Private; maj=Major; "
    "cmdr=Commander; adm=Admiral; gov=Governor; sen=Senator; rep=Representative; pres=President; supt=Superintendent; "
    "messrs=Messieurs; mme=Madame; mlle=Mademoiselle; fr=Father; bp=Bishop; msgr=Monsignor; mt=Mount; ft=Fort; "
    "insp=Inspector; det=Detective; atty=Attorney; brig=Brigadier"
)
"""Before a name."""
AFTER_NAMES = _table(
    "jr=Junior; sr=Senior; esq=Esquire; inc=Incorporated; ltd=Limited; corp=Corporation; co=Company; bros=Brothers; "
    "mfg=Manufacturing; assn=Association; intl=International"
)
"""After a name, in capitals."""
STREETS = _table(
    "ave=Avenue; blvd=Boulevard; rd=Road; ln=Lane; pkwy=Parkway; hwy=Highway; sq=Square; ct=Court; pl=Place; "
    "expy=Expressway; ter=Terrace; cir=Circle; dr=Drive"
)
"""After a street's name, in capitals."""
NUMBERED = _table(
    "no=number; nos=numbers; nr=number; vol=volume; vols=volumes; p=page; pp=pages; pg=page; ch=chapter; "
    "chap=chapter; fig=figure; figs=figures; sec=section; sect=section; para=paragraph; eq=equation; apt=apartment; "
    "rm=room; ste=suite; ext=extension; tel=telephone; ver=version; v=version; op=opus; ca=circa; c=circa; pt=part; "
    "bldg=building; rte=route; rt=route; hwy=highway; mk=mark; est=established; max=maximum; min=minimum; avg=average"
)
"""Before a number."""
ANYWHERE = _table(
    "etc=et cetera; vs=versus; e.g=for example; i.e=that is; cf=compare; viz=namely; approx=approximately; "
    "dept=department; govt=government; univ=university; misc=miscellaneous; incl=including; excl=excluding; "
    "eds=editors; ibid=ibid; appt=appointment; asst=assistant; abbr=abbreviation; natl=national; intl=international; "
    "hrs=hours; mins=minutes; secs=seconds; et al=et al"
)
"""Whatever follows: no word is written so."""
BARE = _table(
    "vs=versus; etc=et cetera; approx=approximately; w/o=without; w/=with; b/c=because; c/o=care of; a/k/a=also known "
    "as; ie=that is; eg=for example"
)
"""Without a point."""
MONTHS = _table(
    "jan=January; feb=February; aug=August; sept=September; sep=September; oct=October; nov=November; dec=December"
)
"""In capitals, without a day; `Mar.` may be a name."""
WITHIN = ("e.g", "i.e", "vs", "viz", "cf", "approx", "incl", "excl")
"""No sentence ends after these."""
NOT_INITIALS = frozenset(
    (
        *("vitamin", "plan", "grade", "type", "class", "hepatitis", "part", "section", "appendix", "exhibit", "group"),
        *("team", "model", "option", "schedule", "figure", "table", "and", "chapter", "was", "is", "am", "than", "as"),
    )
)
"""Words whose letter ends a sentence rather than begins a name."""
MISREAD = (
    "FAQ|IQ|ICU|SOS|YMCA|YWCA|ETA|IRA|EQ|DOB|AKA|VIP|COO|UAE|EUR|IOU|EKG|ECG|EEG|UX|IDE|RIP|AD|ETF|IED|IUD|OAP|OED|ADD|"
    "ESA|LED"
)
"""Spelt acronyms that espeak-ng takes for words."""
SPELT = (
    f"{MISREAD}|FBI|CIA|EU|UN|US|USA|UK|NBA|IMF|IBM|AMD|ABC|UFO|CEO|CFO|CTO|CIO|ATM|API|URL|GPU|CPU|UI|IP|ISP|AI|UAV|SUV|"
    "USB|MBA|NGO|GMO|EV|ID|IV|OS|PA|PE|EP"
)
"""Spelt acronyms with vowels, whose plural and genitive espeak-ng misreads."""
AFTER_A = (
    "is|was|are|were|and|or|to|has|had|in|of|for|with|on|at|than|as|by|from|can|will|which|that|but|minus|plus|zero|one|"
    "two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
"""Before these A is a letter, not the article."""


def points(shorts: Iterable[str]) -> str:
    """Returns a pattern of the points after abbreviations, the letters before it by their number."""
    known = sorted(set(shorts))
    by_length = ([re.escape(one) for one in known if len(one) == length] for length in sorted(set(map(len, known))))
    ends = "|".join(rf"(?<=\b(?i:{'|'.join(some)})\.)" for some in by_length)
    return rf"\.(?:{ends})"
