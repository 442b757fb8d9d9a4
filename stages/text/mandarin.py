"""Turns Mandarin text into phonemes with tones.

Chinese letters are read as pinyin by `stages.text.hanzi`, and espeak-ng reads the pinyin. The IPA of espeak-ng 1.52 has
only the first digit of a tone: the first tone (55) and the fourth (51) are both `5`. It writes the second (35) as the
vowel `ɜ`, and leaves some sounds in ASCII. Its mnemonics have the whole tone. So each word is read in both, and the
tones are put into the IPA as tone letters: 妈 `mˈɑ˥`, 麻 `mˈɑ˧˥`, 马 `mˈɑ˨˩˦`, 骂 `mˈɑ˥˩`, 吗 `mˈɑ˩`.

The syllables jiong, qiong and xiong (窘, 穷, 兄) espeak-ng takes for English, digits included. They are read alone.
"""

import re
from functools import lru_cache

from stages.text.hanzi import words
from stages.text.ipa import Reader
from stages.text.languages import HAN, RARE_HAN
from stages.text.pinyin import numbered

_IPA, _MNEMONICS = ord("_") << 8 | 0x02, ord("_") << 8
_TONE_IN_IPA = re.compile(r"[1245ɜ](?=_)")
_TONE_IN_MNEMONICS = re.compile(r"(55|35|214|51|11)(?=_)")
_TONES = {"55": "˥", "35": "˧˥", "214": "˨˩˦", "51": "˥˩", "11": "˩"}
_SOUNDS = {
    **{"ts.h": "ʈʂʰ", "ts.": "ʈʂ", "s.": "ʂ", "tɕh": "tɕʰ", "tsh": "tsʰ", "ph": "pʰ", "th": "tʰ", "kh": "kʰ"},
    **{"i.": "ɨ", "onɡ": "ʊŋ", "o-": "ɤ", "ŋ-": "ŋ"},
}
"""Sounds as espeak-ng writes them, and their IPA; longest first."""
_SOUND = re.compile("|".join(map(re.escape, _SOUNDS)))
_CHINESE = re.compile(f"([{HAN}]+)")
_IONG_PINYIN = re.compile("([jqx]iong[1-5])")
_UNKNOWN = re.compile(f"[{RARE_HAN}]")
_SOME_UNKNOWN = "呣"
"""Read as an unknown letter. It replaces letters beyond the BMP, because espeak-ng spells out their code points."""
_ENGLISH = "("
"""The start of a language flag."""
_INITIALS = {"dʒ_ɪ__": "tɕ", "k_ɪ__": "tɕʰ", "k_ʃ_": "ɕ"}
_DIGITS = {"w_ˈɒ_n": "˥", "t_ˈuː": "˧˥", "θ_ɹ_ˈiː": "˨˩˦", "f_ˈɔː": "˥˩", "f_ˈaɪ_v": "˩"}
_IONG = re.compile(rf"\(en\)_({'|'.join(_INITIALS)})ə_ŋ_({'|'.join(_DIGITS)})_\(cmn\)_?")
"""`jiong1` to `xiong5`, read as English."""
_FLAG = re.compile(r"\([^()]*\)")
_CACHED = 1 << 15
"""Number of words whose IPA is cached."""
_STRESS = re.compile("[ˈˌ]")


class Mandarin(Reader):
    """Reads Chinese texts, one at a time as every `Reader`."""

    def __init__(self, voice: str, *, stress: bool, punctuation: bool) -> None:
        super().__init__(voice, stress=stress, punctuation=punctuation)
        self._word = lru_cache(_CACHED)(self._read_word)

    def speak(self, part: str) -> str:
        """Returns the IPA of a part without punctuation, with tone letters."""
        part = _UNKNOWN.sub(_SOME_UNKNOWN, numbered(part))
        phonemes = " ".join(map(self._speak_run, filter(str.strip, _CHINESE.split(part))))
        return phonemes if self._stress else _STRESS.sub("", phonemes)

    def _speak_run(self, run: str) -> str:
        """Returns the IPA of a run in which all letters are Chinese, or none is."""
        if _CHINESE.match(run):
            return " ".join(self._word(syllables or (letters,)) for letters, syllables in words(run))
        return " ".join(self._toned(word) or self._toneless(word) for word in _IONG_PINYIN.split(run) if word.strip())

    def _read_word(self, syllables: tuple[str, ...]) -> str:
        """Returns the IPA of a word's pinyin."""
        if whole := self._toned("".join(syllables)):
            return whole
        return " ".join(self._toned(syllable) or self._toneless(syllable) for syllable in syllables)

    def _toned(self, text: str) -> str:
        """Returns the IPA of a text; "" if it can't be read in one piece."""
        sounds = self._clauses(text, _IPA)
        if iong := _IONG.fullmatch(sounds):
            return f"{_INITIALS[iong[1]]}jˈʊŋ{_DIGITS[iong[2]]}"
        tones = _TONE_IN_MNEMONICS.findall(self._clauses(text, _MNEMONICS))
        # Letters of other scripts are read in other languages, where digits aren't Mandarin tones.
        if len(tones) != len(_TONE_IN_IPA.findall(sounds)) or (_ENGLISH in sounds and _IONG_PINYIN.search(text)):
            return ""
        letters = map(_TONES.__getitem__, tones)
        return _plain(_TONE_IN_IPA.sub(lambda _: next(letters), sounds))

    def _toneless(self, text: str) -> str:
        return _plain(_TONE_IN_IPA.sub("", self._clauses(text, _IPA)))


def _plain(sounds: str) -> str:
    return _FLAG.sub("", _SOUND.sub(lambda sound: _SOUNDS[sound[0]], sounds)).replace("_", "")
