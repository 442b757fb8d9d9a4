"""How a response is made, whoever asks for it: `valle synth`, `valle transform` and `valle eval` share it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from model.decoding.samplers.chain import GREEDY, PLAIN, Sampling
from stages.errors import UsageError

if TYPE_CHECKING:
    from model.config import DataConfig
    from model.sequences.documents import Mode

FirstMode = Literal["ar", "nar-len"]
"""How codebook 0 is made."""

FIRST_MODES: Mapping[FirstMode, str] = {"ar": "frame by frame", "nar-len": "its length, then all at once"}
"""What that means, as the command line says it."""

_GUIDANCE: Mapping[FirstMode, float] = {"ar": 1.0, "nar-len": 2.5}
"""Where it isn't said, and the model can be guided."""


@dataclass(frozen=True, slots=True)
class Unmasking:
    """How a canvas is filled."""

    steps: int = 25
    """Passes of the network."""
    rescale: float = 0.75
    """With guidance: how much of the guided logits is scaled back to the spread of the unguided ones, 0 to 1."""
    sampling: Sampling = Sampling()  # noqa: RUF009 (frozen)
    """How codes are drawn; the temperature falls to 0 over the steps."""

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        if self.steps < 1:
            raise UsageError(f"`steps` must be at least 1, but is {self.steps}.")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the codes of a response are chosen."""

    mode: FirstMode = "ar"
    """How codebook 0 is made."""
    ar: Sampling = PLAIN
    """How codebook 0 is drawn frame by frame (`ar`)."""
    unmasking: Unmasking = Unmasking()
    """How codebook 0 is made all at once (`nar-len`)."""
    nar: Sampling = GREEDY
    """How the other codebooks are drawn."""
    guidance: float | None = None
    """How far codebook 0 goes from the logits without text, prompt, input and tone towards, and beyond, those with
    them; 1 is off. None: 2.5 for `nar-len` where the model has learnt to do without them, else off."""

    def __post_init__(self) -> None:
        """Refuses an unknown mode, and a guidance out of range."""
        if self.mode not in get_args(FirstMode):
            raise UsageError(f"`mode` must be one of {', '.join(get_args(FirstMode))}, but is `{self.mode}`.")
        if self.guidance is not None and not 1 <= self.guidance < float("inf"):
            raise UsageError(f"`guidance` must be 1 (off) or more, but is {self.guidance}.")

    def modes(self, num_codebooks: int, *, length_known: bool = False) -> "tuple[Mode, ...]":
        """Returns the modes in which a model of so many codebooks must have been trained."""
        first: tuple[Mode, ...] = ("ar",) if self.mode == "ar" else ("nar-len",) if length_known else ("nar-len", "len")
        return (*first, "nar") if num_codebooks > 1 else first

    def settled(self, trained: "DataConfig", model: Path) -> "Decoding":
        """Returns the same with the guidance that holds for a model: never None.

        Args:
            trained: What the model was trained on.
            model: Where it lies, for messages.

        Raises:
            UsageError: if it is to be guided, but never learnt to do without what it is given.
        """
        can = trained.unconditional_probability > 0
        if self.guidance is None:
            return replace(self, guidance=_GUIDANCE[self.mode] if can else 1.0)
        if self.guidance > 1 and not can:
            raise UsageError(
                f"`guidance` must be 1 (off), but is {self.guidance:g}: `{model}` was never trained without text and"
                " prompt. Train it with a `data.unconditional_probability` above 0, such as 0.1."
            )
        return self

    def __str__(self) -> str:
        """Returns what decides codebook 0 in a line."""
        how = self.ar if self.mode == "ar" else self.unmasking.sampling
        steps = "" if self.mode == "ar" else f", {self.unmasking.steps} steps"
        told = self.guidance is not None and (self.mode == "nar-len" or self.guidance > 1)
        guidance = f", guidance {self.guidance:g}" if told else ""
        return f"{self.mode}{steps}{guidance}, {how}"
