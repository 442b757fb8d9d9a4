"""Mandarin phonemes with their tones.

In IPA, espeak-ng 1.52 writes only the first digit of a tone (so that the first, 55, and the fourth, 51, are both `5`),
turns that of the second, 35, into the vowel `ɜ`, and leaves some sounds in ASCII. Its mnemonics hold the whole tone: so
each text is read in both, and the tones are put into the IPA as tone letters: 妈 `mˈɑ˥`, 麻 `mˈɑ˧˥`, 马 `mˈɑ˨˩˦`,
骂 `mˈɑ˥˩`, 吗 `mˈɑ˩`.
"""

import ctypes
import re

from stages import espeak

_UTF8 = 1
_IPA, _MNEMONICS = ord("_") << 8 | 0x02, ord("_") << 8
_TONE_IN_IPA = re.compile(r"[1245ɜ](?=_)")
_TONE_IN_MNEMONICS = re.compile(r"(55|35|214|51|11)(?=_)")
_TONES = {"55": "˥", "35": "˧˥", "214": "˨˩˦", "51": "˥˩", "11": "˩"}
_SOUNDS = {
    **{"ts.h": "ʈʂʰ", "ts.": "ʈʂ", "s.": "ʂ", "tɕh": "tɕʰ", "tsh": "tsʰ", "ph": "pʰ", "th": "tʰ", "kh": "kʰ"},
    **{"i.": "ɨ", "onɡ": "ʊŋ", "o-": "ɤ"},
}
"""What espeak-ng writes in IPA and what it means, the longest first."""
_SOUND = re.compile("|".join(map(re.escape, _SOUNDS)))
_CHINESE = re.compile("([\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]+)")
_FLAG = re.compile(r"\([^()]*\)")
_STRESS = re.compile("[ˈˌ]")


class Mandarin:
    """Turns Chinese text into phonemes; holds a copy of espeak-ng, so one text at a time."""

    def __init__(self, voice: str, *, stress: bool, punctuation: bool) -> None:
        from phonemizer.backend.espeak.api import EspeakAPI
        from phonemizer.punctuation import Punctuation

        self._espeak = EspeakAPI(*espeak.locate())
        self._espeak.set_voice_by_name(voice.encode())
        self._marks = Punctuation()
        self._stress, self._punctuation = stress, punctuation

    def phonemize(self, text: str) -> str:
        """Returns the IPA of a text; punctuation is set aside and put back as phonemizer does it."""
        from phonemizer.separator import default_separator

        if self._punctuation:
            parts, marks = self._marks.preserve([text])
            spoken = [self._speak(part).strip() for part in parts]
            phonemes = " ".join(self._marks.restore(spoken, marks, default_separator, strip=True))
        else:
            phonemes = self._speak(self._marks.remove(text))
        return phonemes if self._stress else _STRESS.sub("", phonemes)

    def _speak(self, text: str) -> str:
        tones, sounds = _TONE_IN_MNEMONICS.findall(self._read(text, _MNEMONICS)), self._read(text, _IPA)
        if len(tones) != len(_TONE_IN_IPA.findall(sounds)):
            # Letters of other scripts are named in their own languages, whose digits aren't Mandarin's.
            runs = [run for run in _CHINESE.split(text) if run.strip()]
            if len(runs) > 1:
                return " ".join(map(self._speak, runs))
            tones = []
        letters = map(_TONES.get, tones)
        toned = _TONE_IN_IPA.sub(lambda _: next(letters, None) or "", sounds)
        return _FLAG.sub("", _SOUND.sub(lambda sound: _SOUNDS[sound[0]], toned)).replace("_", "")

    def _read(self, text: str, mode: int) -> str:
        pointer = ctypes.pointer(ctypes.c_char_p(text.encode()))
        clauses = []
        while pointer.contents.value is not None:
            clause = self._espeak.text_to_phonemes(pointer, _UTF8, mode)
            clauses.append((clause or b"").decode())
        return " ".join(clauses)
