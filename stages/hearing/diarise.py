"""Speaker diarisation of whisperX's results, by pyannote's pipeline. Off by default."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.audio.files import AudioInfo
from stages.errors import WeightsError
from stages.hearing.asr.weights import is_path, reason_of
from stages.hearing.wav2vec import quiet, unusable_whisperx
from stages.records import Segment, Wave
from stages.transcripts.script import Script

MODEL = "pyannote/speaker-diarization-community-1"
_OVERLAP_S = 0.2
"""Seconds. Shorter stretches in which two speak are left to one of them."""


class Diariser:
    """pyannote's pipeline, loaded once per worker.

    Args:
        model: A repository of the Hugging Face hub, or a folder with a `config.yaml`.
        device: `cpu`, `cuda` or `cuda:N`.
        speakers: The fewest and the most speakers in a recording; None if unknown.

    Raises:
        WeightsError: if the pipeline can't be loaded; the message says how to get it.

    Source: Bredin 2023, pyannote.audio 2.1, https://doi.org/10.21437/Interspeech.2023-105; whisperX, Bain et al. 2023,
    https://arxiv.org/abs/2303.00747.
    """

    def __init__(self, model: str, device: str = "cpu", speakers: tuple[int | None, int | None] = (None, None)) -> None:
        self._speakers = speakers
        folder = Path(model).expanduser()
        if is_path(model) and not folder.exists():
            raise WeightsError(
                f"`transcribe.diarize_model` must be a folder of a pyannote pipeline, but `{model}` isn't there."
                f" Mend the path, or leave it out: `{MODEL}` is then taken from the Hugging Face hub."
            )
        try:
            with quiet():
                from whisperx.diarize import DiarizationPipeline

                self._pipeline = DiarizationPipeline(str(folder) if folder.exists() else model, device=device)
        except ImportError as error:
            raise unusable_whisperx(error) from error
        except (OSError, ValueError, AttributeError) as error:  # pyannote returns None for a gated repository
            reason = "access to it is restricted" if isinstance(error, AttributeError) else reason_of(error)
            raise WeightsError(
                f"`transcribe.diarize` needs the model `{model}`, which can't be loaded ({reason}). Accept its terms at"
                f" https://hf.co/{model} and set `HF_TOKEN` to a token of your account; or, without a network, fetch it"
                f" elsewhere (`hf download {model} --local-dir FOLDER`) and give it: `--set"
                " transcribe.diarize_model=FOLDER`."
            ) from error

    def label(self, result: dict[str, Any], wave: Wave) -> dict[str, Any]:
        """Adds the `speaker` of each segment and word, such as `SPEAKER_00`, to whisperX's result.

        Args:
            result: whisperX's result, with `segments`.
            wave: The recording, `[samples]` at 16 kHz.

        Returns:
            The result with speakers, and as `overlaps` the stretches in which two speak, as pairs of seconds. Segments
            in which pyannote hears nobody get no speaker.
        """
        import numpy as np
        from whisperx.diarize import assign_word_speakers

        fewest, most = self._speakers
        turns = self._pipeline(np.array(wave), min_speakers=fewest, max_speakers=most)
        labelled: dict[str, Any] = assign_word_speakers(turns, result)
        spans = () if turns is None else zip(turns["start"], turns["end"], turns["speaker"], strict=True)
        return {**labelled, "overlaps": overlaps([(float(start), float(end), str(who)) for start, end, who in spans])}


def overlaps(turns: Sequence[tuple[float, float, str]]) -> list[tuple[float, float]]:
    """Returns the stretches in which several speakers speak, in order; short ones are the blur of turns.

    Args:
        turns: Start, end (seconds) and speaker of each.
    """
    edges = sorted([(start, 1, who) for start, _, who in turns] + [(end, -1, who) for _, end, who in turns])
    speaking: Counter[str] = Counter()
    found: list[tuple[float, float]] = []
    begun: float | None = None
    for at, change, who in edges:  # at the same time, ends come first
        speaking[who] += change
        several = sum(count > 0 for count in speaking.values()) > 1
        if several and begun is None:
            begun = at
        elif not several and begun is not None:
            found.append((begun, at))
            begun = None
    return [(start, end) for start, end in found if end - start >= _OVERLAP_S]


def with_overlaps(script: Script, spans: Sequence[tuple[float, float]], audio: AudioInfo) -> Script:
    """Returns a script with a segment without text, of several speakers, for each stretch in which two speak."""
    rate = audio.sample_rate
    inside = [(round(start * rate), min(round(end * rate), audio.samples)) for start, end in spans]
    marks = [Segment(start, end, "", "", (), None) for start, end in inside if start < end]
    segments = sorted([*script.segments, *marks], key=lambda one: (one.start_samples, one.end_samples))
    return replace(script, segments=tuple(segments))
