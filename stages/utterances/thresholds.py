"""The keys of `slice` that measure cuts and leave some of them out."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from stages.config import StageConfig, runtime
from stages.utterances.cuts import UNSURE
from stages.utterances.filters import NEED_AUDIO, above


class Thresholds(StageConfig):
    """What is measured of a cut, and the bounds beyond which it is left out."""

    measure: bool = True
    """Whether to measure noise, clipping, silence and loudness of each cut. The report, the thresholds and
    `loudness_lufs` need it. Costs one more read of the audio."""
    dnsmos: str | None = runtime(None)
    """Path of DNSMOS P.835's `sig_bak_ovr.onnx`, to predict listening scores (needs onnxruntime). The file's
    content, not its path, enters the fingerprint."""
    loudness_lufs: float | None = Field(None, ge=-70, le=0, validate_default=True)
    """Target loudness of each cut in LUFS (ITU-R BS.1770-4), applied whenever the cut is read, as far as its peak
    stays within full scale. Recordings aren't changed. Not set: no gain. EBU R 128 uses -23."""
    min_characters_per_s: float | None = Field(None, ge=0)
    """Utterances with fewer characters of text per second are filtered (`FewCharacters`): text is probably missing."""
    max_characters_per_s: float | None = Field(None, ge=0)
    """Utterances with more are filtered (`ManyCharacters`): audio is probably missing."""
    max_clipped: float | None = Field(None, ge=0, le=1, validate_default=True)
    """Largest share of samples at full scale; above it an utterance is filtered (`Clipped`)."""
    max_silence: float | None = Field(None, ge=0, le=1, validate_default=True)
    """Largest share of silent frames; above it an utterance is filtered (`Silence`)."""
    min_snr_db: float | None = Field(None, validate_default=True)
    """Lowest signal-to-noise ratio in dB; below it an utterance is filtered (`Noisy`)."""
    min_bandwidth_hz: float | None = Field(None, gt=0, validate_default=True)
    """Lowest bandwidth of the speech; below it, as after an upsampling, an utterance is filtered (`NarrowBand`)."""
    max_edge_db: float | None = Field(None, le=0, validate_default=True)
    """Loudest sound allowed within 50 ms of a cut's beginning and end, in dB relative to the cut; above it the cut
    probably goes through a word, and is filtered (`MidSound`). -20 finds most such cuts."""
    min_srmr: float | None = Field(None, gt=0, validate_default=True)
    """Lowest speech-to-reverberation modulation energy ratio (SRMR); below it an utterance is filtered (`Reverberant`).
    It also depends on the speaker and the noise: look at the report's distribution first."""
    min_dnsmos: float | None = Field(None, ge=1, le=5, validate_default=True)
    """Lowest overall DNSMOS P.835 score; below it an utterance is filtered (`PoorQuality`)."""
    drop_hallucinated: bool = True
    """Whether to filter texts that whisper heard though nobody said them (`Hallucinated`): loops, phrases that it
    writes where nobody speaks, impossible rates, and text where silero hears no voice. Given texts are never judged."""
    min_avg_logprob: float | None = Field(UNSURE, le=0)
    """Lowest mean log-probability of a heard text; below it an utterance is filtered (`Uncertain`)."""
    max_compression: float | None = Field(2.4, gt=0)
    """Highest compression ratio of a heard text; above it an utterance is filtered (`Repetitive`)."""
    min_language_probability: float | None = Field(None, ge=0, le=1)
    """Lowest probability of the language that whisper detected; below it an utterance is filtered
    (`UncertainLanguage`)."""
    max_misheard: float | None = Field(None, ge=0)
    """Highest character error rate between the text, given or heard, and what `transcribe.verify` hears in the cut;
    above it an utterance is filtered (`Misheard`)."""
    max_misheard_edge: float | None = Field(None, ge=0, le=1)
    """The same for the first and the last word; above it the cut is probably too tight or too wide, and filtered
    (`TightCut`)."""
    same_language: bool = False
    """Whether to filter utterances whose text is in another language than the row says (`OtherLanguage`). Texts
    under 20 letters are too short to tell and are kept."""

    @field_validator("max_characters_per_s")
    @classmethod
    def _above_min_characters(cls, bound: float | None, info: ValidationInfo) -> float | None:
        key = "min_characters_per_s"
        return above(bound, f"slice.{key}", info.data.get(key))

    @field_validator("dnsmos", "loudness_lufs", *sorted(NEED_AUDIO))
    @classmethod
    def _is_measured(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not info.data.get("measure", True):
            raise ValueError("needs the measures of the audio; leave `slice.measure` at true")
        if value is not None and info.field_name == "min_dnsmos" and not info.data.get("dnsmos"):
            raise ValueError("needs `slice.dnsmos`, the path of `sig_bak_ovr.onnx`; give it, or leave the bound out")
        return value
