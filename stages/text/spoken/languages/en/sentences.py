"""What a word or number means by what stands around it: whether a sentence ends, whether a noun follows."""

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


_NOUN = re.compile(
    r"[ -](?!(?:an?|per|or|to|of|in|on|for|and|from|is|was|at|by|as|if|than|the|that|with|when|but|which|"
    r"long|wide|high|tall|deep|thick|away|ago|later|old)\b)[a-z]"
)


def is_adjective(match: re.Match[str]) -> bool:
    """Returns whether a sum or measure belongs to the word after it, as in `a $20 bill` and `a 5 km run`."""
    before = match.string[: match.start()].lower()
    return (before.endswith((" a ", " an ")) or before in ("a ", "an ")) and bool(
        _NOUN.match(match.string, match.end())
    )
