"""Whether a sentence ends after an abbreviation, so that its point is a full stop too."""

import re

_STARTERS = (
    "The|This|That|These|Those|There|Then|They|He|She|It|We|You|His|Her|Its|Our|Their|My|Your|In|On|At|But|And|So|If|"
    "When|While|What|Why|How|Who|Where|As|For|From|To|After|Before|Since|Although|However|An|No|Not|Yes|Now|Here|Once|"
    "One|Some|Many|Most|All|Each|Every|Both|With|Without|Was|Is|Are|Were|Did|Do|Does|Can|Could|Would|Will|Let|Please|"
    "Because|By|Do|During|Even|Just|Later|Like|Maybe|Meanwhile|Nobody|Perhaps|Today|Tomorrow|Until|Yesterday|Yet"
)
STARTER = rf"(?:{_STARTERS})"
"""Words that in capitals mostly begin a sentence."""
_END = re.compile(rf"[\"'”’)\]]*\s*(?:$|[\"'“‘(]*(?:{_STARTERS}|I|A)\b(?!\.))")
"""What follows where the sentence ends."""


def ends_after(match: re.Match[str]) -> bool:
    """Returns whether a sentence ends at the end of a match."""
    return bool(_END.match(match.string, match.end()))
