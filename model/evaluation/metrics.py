"""Error rates with their confidence intervals, and the normalised text they are counted on.

`--help` imports this file by way of the protocols, so heavy libraries, numpy too, are imported in functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HANZI_MARKS = (
    "＂＃＄％＆＇（）＊＋，－．／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､\u3000"
    "、〃〈〉《》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏﹑﹔·！？｡。"
)
"""East Asian punctuation that the published scripts remove: `zhon.hanzi.punctuation`."""
ASCII_MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

_NO_MARKS = str.maketrans("", "", HANZI_MARKS + ASCII_MARKS)
_ONLY_APOSTROPHES = str.maketrans("", "", (HANZI_MARKS + ASCII_MARKS).replace("'", ""))
_BATCH = 100
"""Resamples drawn at a time, which bounds the memory."""
_CURLY = str.maketrans("’‘", "''")


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def distance(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Returns the edit distance: the fewest substitutions, deletions and insertions from one to the other."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(reference, heard)


def error_rate(reference: Sequence[str], heard: Sequence[str]) -> float:
    """Returns the edit distance per symbol of the reference; above 1 if there are many insertions.

    Raises:
        ValueError: if the reference is empty.
    """
    if not reference:
        raise ValueError("`reference` must have at least one symbol, but is empty.")
    return distance(reference, heard) / len(reference)


def bootstrap(values: Sequence[float], *, seed: int = 0, resamples: int = 2000) -> Interval:
    """Returns the mean over utterances with its 95 % percentile bootstrap interval.

    Args:
        values: One per utterance, at least one; utterances are drawn with replacement. The interval of a single value
            is that value.
        seed: Seed of the draws.
        resamples: Number of resamples.

    Source: Bisani and Ney, Bootstrap estimates for confidence intervals in ASR performance evaluation, ICASSP 2004.
    """
    import numpy as np
    from scipy import stats

    sample = np.asarray(values, np.float64)
    mean = float(sample.mean())
    if len(sample) == 1:  # scipy refuses it
        return Interval(mean, mean, mean)
    interval = stats.bootstrap(
        (sample,), np.mean, method="percentile", n_resamples=resamples, batch=_BATCH, rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(mean, float(interval.low), float(interval.high))


def words_seed_tts(text: str, language: str) -> list[str]:
    """Normalises as seed-tts-eval: lower case, no punctuation but `'`; each Chinese character is a word.

    Source: `process_one` in https://github.com/BytedanceSpeech/seed-tts-eval/blob/main/run_wer.py.
    """
    return _split(text.translate(_ONLY_APOSTROPHES), language)


def words_f5(text: str, language: str) -> list[str]:
    """Normalises as F5-TTS: as seed-tts-eval, but without `'`: `don't` becomes `dont`.

    Source: `run_asr_wer` in https://github.com/SWivid/F5-TTS/blob/main/src/f5_tts/eval/utils_eval.py.
    """
    return _split(text.translate(_NO_MARKS), language)


def words_librispeech(text: str, language: str) -> list[str]:
    """Normalises with whisper's English normaliser, without its table of British spellings.

    LibriSpeech spells numbers and titles out, in capitals without punctuation, and so does the recogniser of the VALL-E
    paper; whisper writes `21` and `Mr.`. The normaliser makes both equal.

    Source: https://arxiv.org/abs/2212.04356, appendix C; the class in transformers.
    """
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    normalise = EnglishTextNormalizer({}) if language == "en" else BasicTextNormalizer()
    # The normaliser expands `it's` only with a straight apostrophe.
    return str(normalise(text.translate(_CURLY))).split()


def characters(words: Sequence[str], language: str) -> list[str]:
    """Returns the characters that the CER counts: letters, and single spaces between words (none in Chinese)."""
    return list(("" if language == "zh" else " ").join(words))


def _split(text: str, language: str) -> list[str]:
    return list("".join(text.split())) if language == "zh" else text.lower().split()
