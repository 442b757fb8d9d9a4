"""Speaker diarisation of whisperX's results, by pyannote's pipeline. Off by default."""

from pathlib import Path
from typing import Any

from stages.errors import WeightsError
from stages.hearing.asr.weights import reason_of
from stages.hearing.wav2vec import quiet, unusable_whisperx
from stages.records import Wave

MODEL = "pyannote/speaker-diarization-community-1"


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
                f" https://hf.co/{MODEL} and set `HF_TOKEN` to a token of your account, or give a folder that holds"
                " it: `--set transcribe.diarize_model=FOLDER`."
            ) from error

    def label(self, result: dict[str, Any], wave: Wave) -> dict[str, Any]:
        """Adds the `speaker` of each segment and word, such as `SPEAKER_00`, to whisperX's result.

        Args:
            result: whisperX's result, with `segments`.
            wave: The recording, `[samples]` at 16 kHz.

        Returns:
            The result with speakers. Segments in which pyannote hears nobody get none.
        """
        import numpy as np
        from whisperx.diarize import assign_word_speakers

        fewest, most = self._speakers
        turns = self._pipeline(np.array(wave), min_speakers=fewest, max_speakers=most)
        labelled: dict[str, Any] = assign_word_speakers(turns, result)
        return labelled
