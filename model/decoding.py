"""How a response is made, whoever asks for it: `valle synth`, `valle transform` and `valle eval` share it."""

from dataclasses import dataclass
from typing import Literal, get_args

from model.documents import Mode
from model.masked import Unmasking
from model.samplers import GREEDY, PLAIN, Sampling
from stages.errors import UsageError

FirstMode = Literal["ar", "nar-len"]
"""How codebook 0 is made: frame by frame, or all at once after its length."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the codes of a response are chosen."""

    mode: FirstMode = "ar"
    """How codebook 0 is made."""
    ar: Sampling = PLAIN
    """How codebook 0 is drawn frame by frame (`ar`)."""
    unmasking: Unmasking = Unmasking()  # noqa: RUF009 (frozen)
    """How codebook 0 is made all at once (`nar-len`)."""
    nar: Sampling = GREEDY
    """How the other codebooks are drawn."""

    def __post_init__(self) -> None:
        """Refuses an unknown mode."""
        if self.mode not in get_args(FirstMode):
            raise UsageError(f"`mode` must be one of {', '.join(get_args(FirstMode))}, but is `{self.mode}`.")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes in which a model must have been trained."""
        return ("ar",) if self.mode == "ar" else ("nar-len", "len")

    def __str__(self) -> str:
        """Returns what decides codebook 0 in a line."""
        how = self.ar if self.mode == "ar" else self.unmasking.sampling
        steps = "" if self.mode == "ar" else f", {self.unmasking.steps} steps, guidance {self.unmasking.guidance:g}"
        return f"{self.mode}{steps}, temperature {how.temperature:g}, top-k {how.top_k}, top-p {how.top_p:g}"
