"""Error rates, their intervals, and the text they are counted on."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HANZI_MARKS = (
    "＂＃＄％＆＇（）＊＋，－．／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､\u3000"
    "、〃〈〉《》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏﹑﹔·！？｡。"
)
"""East Asian punctuation, as `zhon.hanzi.punctuation` has it, which the published scripts remove."""
ASCII_MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

_NO_MARKS = str.maketrans("", "", HANZI_MARKS + ASCII_MARKS)
_ONLY_APOSTROPHES = str.maketrans("", "", (HANZI_MARKS + ASCII_MARKS).replace("'", ""))
_MODIFIERS = frozenset({"Mn", "Lm", "Sk"})
_BATCH = 100
"""Sets of utterances drawn at a time."""
_CURLY = str.maketrans("’‘", "''")


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def distance(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Returns the fewest substitutions, deletions and insertions that turn one sequence into the other."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(reference, heard)


def error_rate(reference: Sequence[str], heard: Sequence[str]) -> float:
    """Returns the distance per symbol of the reference; above 1 where much is heard that nobody should have said.

    Raises:
        ValueError: if the reference is empty.
    """
    if not reference:
        raise ValueError("`reference` must hold a symbol at least, but is empty.")
    return distance(reference, heard) / len(reference)


def bootstrap(values: Sequence[float], *, seed: int = 0, resamples: int = 2000) -> Interval:
    """Returns the mean with its 95 % percentile interval.

    Args:
        values: One for each utterance, one at least; utterances are what is drawn, with replacement. Of one alone, the
            interval is that value.
        seed: Of the draws.
        resamples: How many sets of utterances are drawn.

    Source: Bisani and Ney, Bootstrap estimates for confidence intervals in ASR performance evaluation, ICASSP 2004.
    """
    from scipy import stats

    sample = np.asarray(values, np.float64)
    mean = float(sample.mean())
    if len(sample) == 1:  # of which scipy makes no interval
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (sample,), np.mean, method="percentile", n_resamples=resamples, batch=_BATCH, rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def words_seed_tts(text: str, language: str) -> list[str]:
    """Returns what seed-tts-eval counts: lower case, no punctuation but `'`; in Chinese each character is a word.

    Source: `process_one` in https://github.com/BytedanceSpeech/seed-tts-eval/blob/main/run_wer.py.
    """
    return _split(text.translate(_ONLY_APOSTROPHES), language)


def words_f5(text: str, language: str) -> list[str]:
    """Returns what F5-TTS counts: as seed-tts-eval, but `'` goes too, so that `don't` is `dont`.

    Source: `run_asr_wer` in https://github.com/SWivid/F5-TTS/blob/main/src/f5_tts/eval/utils_eval.py.
    """
    return _split(text.translate(_NO_MARKS), language)


def words_librispeech(text: str, language: str) -> list[str]:
    """Returns the words as whisper's English normaliser writes them, without its table of British spellings.

    LibriSpeech writes numbers and titles out in capitals without punctuation, and the recogniser of the VALL-E paper
    does so too; whisper writes `21` and `Mr.`, which the normaliser makes equal.

    Source: https://arxiv.org/abs/2212.04356, appendix C; the class in transformers.
    """
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    normalise = EnglishTextNormalizer({}) if language == "en" else BasicTextNormalizer()
    # The normaliser undoes `it's` only where the apostrophe is a straight one.
    return str(normalise(text.translate(_CURLY))).split()


def characters(words: Sequence[str], language: str) -> list[str]:
    """Returns what the character error rate counts: letters and the single spaces between words (Chinese has none)."""
    return list(("" if language == "zh" else " ").join(words))


def phones(phonemes: str) -> list[str]:
    """Splits IPA into its symbols: a letter with its length, tone or diacritics; spaces and stress don't count.

    Example:
        >>> phones("həlˈoʊ wˈɜːld")
        ['h', 'ə', 'l', 'o', 'ʊ', 'w', 'ɜː', 'l', 'd']
    """
    found: list[str] = []
    for symbol in re.sub(r"[\sˈˌ]+", "", phonemes):
        if found and unicodedata.category(symbol) in _MODIFIERS:
            found[-1] += symbol
        else:
            found.append(symbol)
    return found


def _split(text: str, language: str) -> list[str]:
    return list("".join(text.split())) if language == "zh" else text.lower().split()
