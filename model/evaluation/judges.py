"""What scores speech in `valle eval`: recognisers, speaker verifiers, and predictors of listeners' opinions.

To add a judge, write a class that keeps the protocol of its role, and a row in `JUDGES`. The option of `valle eval`,
the columns of its table and the identity of a resumed evaluation come from the row.

All judges hear mono waves at 16 kHz and read their weights from a path or a cache; none downloads anything. `--help`
imports this file, so heavy libraries, numpy too, are imported in functions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from stages.errors import WeightsError

if TYPE_CHECKING:
    from model.evaluation.voices import Vector
    from stages.listeners.dnsmos import Dnsmos
    from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, of the waves that judges hear."""

Role = Literal["recogniser", "speaker", "quality"]
"""What a judge does; each role has its protocol."""

Judges = Mapping[str, Any]
"""The judges of an evaluation by their rows' names; each keeps the protocol of its role. Others are left out."""


class Recogniser(Protocol):
    """Recognises words (role `recogniser`)."""

    name: str
    """The model, for reports."""

    def check(self, languages: Iterable[str]) -> None:
        """Raises `WeightsError` if it doesn't know one of the languages."""

    def hear(self, wave: "Wave", language: str) -> str:
        """Returns the text of a wave, "" if nothing is said."""


class Speaker(Protocol):
    """Turns a voice into a vector (role `speaker`)."""

    name: str

    def embed(self, wave: "Wave") -> "Vector":
        """Returns a vector `[D]` of length 1: the dot product of two is their similarity, from -1 to 1."""


class Quality(Protocol):
    """Predicts listeners' opinions (role `quality`)."""

    name: str

    def score(self, wave: "Wave") -> dict[str, float]:
        """Returns the scores named by the row's `columns`."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a score is shown in the table."""

    heading: str
    factor: int = 1
    """The score is multiplied by it."""
    digits: int = 2
    """Decimals."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A row of the table of judges."""

    name: str
    """Its key in reports."""
    role: Role
    measures: str
    """What its scores are, for the note that they weren't measured."""
    option: str
    """Its option of `valle eval`, without the dashes."""
    kind: Any
    """Type of the option's value."""
    default: str | Path | None
    help: str
    """The option's line in `--help`."""
    columns: Mapping[str, Column]
    """Its scores. The `recogniser`s' are those of `ERROR_RATES`, the `speaker`s' those of `SIMILARITIES`; a `quality`
    judge names its own."""
    load: Callable[[Any, str], "Recogniser | Speaker | Quality | None"]
    """Loads the judge, given the option's value and the device; returns None to leave it out. Raises `WeightsError`."""
    prefix: str = ""
    """Precedes the names of its scores, so that a second judge of a role doesn't overwrite the first's."""


ERROR_RATES = {"wer": Column("WER %", 100, 1), "cer": Column("CER %", 100, 1), "per": Column("PER %", 100, 1)}
"""Error rates of words, characters and phones."""

SIMILARITIES = {"sim_o": Column("SIM-o", 1, 3), "sim_r": Column("SIM-r", 1, 3)}
"""Similarity to the prompt as recorded, and to the prompt as resynthesised by the codec."""


def load_judges(device: str = "cpu", **values: Any) -> Judges:
    """Loads the judges.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        values: Values of the judges' options (`asr`, `speaker`, `dnsmos`, …), by default the rows' own.

    Returns:
        Those that aren't left out, by their rows' names.

    Raises:
        WeightsError: if weights are missing or of another model.
        UsageError: if there is no such device.
    """
    from model.device import resolve_device

    if unknown := values.keys() - {row.option for row in JUDGES.values()}:
        raise TypeError(f"no judge has an option `{min(unknown)}`")
    where = str(resolve_device(device))
    loaded = {row.name: row.load(values.get(row.option, row.default), where) for row in JUDGES.values()}
    return {name: judge for name, judge in loaded.items() if judge is not None}


def having(role: Role, judges: Judges) -> list[tuple[Judge, Any]]:
    """Returns the judges of a role with their rows, in the order of the table."""
    return [(row, judges[row.name]) for row in JUDGES.values() if row.role == role and row.name in judges]


def columns() -> dict[str, Column]:
    """Returns the columns of all judges by the names of their scores, in the order of the table."""
    return {f"{row.prefix}{name}": column for row in JUDGES.values() for name, column in row.columns.items()}


class WavLMLarge:
    """The verifier of the published numbers: UniSpeech's fine-tuned WavLM-large with an ECAPA-TDNN head."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Loads `wavlm_large_finetune.pth`.

        Raises:
            WeightsError: if the file is of another model.
        """
        from model.evaluation.wavlm_sv import WavLMEcapa

        self._model = WavLMEcapa.load(path, device)
        self._device = device
        self.name = f"WavLM ECAPA-TDNN {path.name}"

    def embed(self, wave: "Wave") -> "Vector":
        """Returns the speaker vector, `[E]`, of length 1."""
        import torch

        from model.evaluation.voices import unit

        with torch.inference_mode():
            return unit(self._model(torch.from_numpy(_lengthened(wave))[None].to(self._device))[0])


class WavLMXVector:
    """A WavLM x-vector model in transformers' format (`WavLMForXVector`), such as `wavlm-base-plus-sv`."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Loads the folder.

        Raises:
            WeightsError: if it isn't there, or is another model.
        """
        if not (folder / "config.json").is_file() or not (folder / "preprocessor_config.json").is_file():
            raise WeightsError(
                "`--speaker` must be UniSpeech's `wavlm_large_finetune.pth`, a folder with a `WavLMForXVector` of"
                " transformers (config.json, preprocessor_config.json, weights), `resemblyzer` or `none`, but is"
                f" `{folder}`. Check the path."
            )
        import torch
        from transformers import AutoConfig, AutoFeatureExtractor, WavLMForXVector
        from transformers.utils import logging

        logging.disable_progress_bar()
        named = AutoConfig.from_pretrained(folder, local_files_only=True).architectures or []
        if "WavLMForXVector" not in named:
            raise WeightsError(
                f"`--speaker` must hold a `WavLMForXVector`, but `{folder}` holds {' '.join(named) or 'none'}: its"
                " speaker vectors would be noise. Give a checkpoint for speaker verification."
            )
        try:
            self._extract: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._model: Any = WavLMForXVector.from_pretrained(folder, local_files_only=True).to(device).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsError(f"`--speaker` can't be loaded from `{folder}`: {error}") from error
        self._device = torch.device(device)
        self.name = f"WavLM x-vector {folder.name} (not the published verifier: another scale)"

    def embed(self, wave: "Wave") -> "Vector":
        """Returns the x-vector, `[D]`, of length 1."""
        import torch

        from model.evaluation.voices import unit

        inputs = self._extract(_lengthened(wave), sampling_rate=SAMPLE_RATE, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            return unit(self._model(**inputs).embeddings[0])


def _lengthened(wave: "Wave") -> "Wave":
    """Pads a wave with silence to half a second: WavLM's last layers look at 15 frames at once."""
    import numpy as np

    return np.pad(wave, (0, max(0, SAMPLE_RATE // 2 - len(wave)))).astype(np.float32)


def _load_recogniser(value: str, device: str) -> Recogniser | None:
    """Loads whisper; the published numbers use `large-v3` (Chinese ones Paraformer, which isn't implemented here)."""
    if value == "none":
        return None
    from stages.hearing.words import Whisper, ways_to

    way_out = f"{ways_to(value)}; or leave out error rates: `--asr none`."
    return Whisper(value, device, option="--asr", way_out=way_out)


def _load_speaker(value: str, device: str) -> Speaker | None:
    if value == "none":
        return None
    if value == "resemblyzer":
        from stages.listeners.resemblyzer import Resemblyzer

        return Resemblyzer(device)
    path = Path(value).expanduser()
    return WavLMLarge(path, device) if path.is_file() else WavLMXVector(path, device)


def _load_dnsmos(path: Path | None, _: str) -> "Dnsmos | None":
    """Loads DNSMOS, which computes on the CPU whatever the device."""
    from stages.listeners.dnsmos import Dnsmos

    return Dnsmos(path.expanduser()) if path else None


JUDGES = {
    row.name: row
    for row in (
        Judge(
            "recogniser",
            "recogniser",
            measures="error rates",
            option="asr",
            kind=str,
            default="large-v3",
            help="A whisper model: a folder, a name in the cache, or none.",
            columns=ERROR_RATES,
            load=_load_recogniser,
        ),
        Judge(
            "speaker",
            "speaker",
            measures="speaker similarity",
            option="speaker",
            kind=str,
            default="none",
            help="A WavLM speaker verifier (its path), resemblyzer, or none.",
            columns=SIMILARITIES,
            load=_load_speaker,
        ),
        Judge(
            "quality",
            "quality",
            measures="DNSMOS",
            option="dnsmos",
            kind=Path | None,
            default=None,
            help="DNSMOS P.835's sig_bak_ovr.onnx.",
            columns={"sig": Column("SIG"), "bak": Column("BAK"), "ovrl": Column("OVRL")},
            load=_load_dnsmos,
        ),
    )
}
"""The judges by name, in the order of their options and columns."""
