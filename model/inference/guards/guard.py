"""The settings of the guards: how often a faulty response is drawn again, and of how many the best is taken.

`--help` reads this file, so it imports nothing heavy.
"""

from dataclasses import dataclass

from model.decoding.options import Decoding
from stages.errors import UsageError

MOST_RETRIES, MOST_OF = 20, 64
WHISPER = "whisper:"
"""Comes before a whisper model's folder in `best_by`."""
JUDGES = "logprob", "stt", f"{WHISPER}FOLDER"
"""What `best_by` may be."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What is done about faulty responses, and how the best of several is chosen."""

    retries: int = 2
    """How often a response is drawn again, with another seed, while it is faulty (`takes`); 0: faults are only told."""
    best_of: int = 1
    """Responses that are drawn side by side, to use the best one."""
    best_by: str = "logprob"
    """What the best has: the highest mean log-probability (`logprob`), or the fewest wrong phonemes, as heard by the
    model itself (`stt`) or by a whisper model (`whisper:FOLDER`)."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for values out of range."""
        if not 0 <= self.retries <= MOST_RETRIES:
            raise UsageError(f"`retries` must be 0 (off) to {MOST_RETRIES}, but is {self.retries}.")
        if not 1 <= self.best_of <= MOST_OF:
            raise UsageError(f"`best_of` must be 1 (off) to {MOST_OF}, but is {self.best_of}.")
        if self.best_by not in JUDGES[:2] and not self.whisper:
            raise UsageError(f"`best_by` must be {', '.join(JUDGES[:2])} or {JUDGES[2]}, but is `{self.best_by}`.")

    @property
    def whisper(self) -> str:
        """The whisper model that judges; "" if none does."""
        return self.best_by.removeprefix(WHISPER) if self.best_by.startswith(WHISPER) else ""

    @property
    def stops(self) -> bool:
        """Whether faulty responses are stopped while they are made: only if others may take their place."""
        return self.retries > 0 or self.best_of > 1

    def check(self, decoding: Decoding) -> None:
        """Raises `UsageError` if there can't be several different responses, or none has what the best is chosen by."""
        if self.best_of == 1:
            return
        if not draws(decoding):
            raise UsageError(
                f"`best_of` must be 1, but is {self.best_of}: nothing is drawn in the first codebook ({decoding}), so"
                " all would say the same. Raise the temperature, and leave out `beam_width`."
            )
        if self.best_by == "logprob" and decoding.mode != "ar":
            raise UsageError(
                f"`best_by` must be stt or {JUDGES[2]} with the mode `{decoding.mode}`, whose frames have no"
                " log-probability one by one, but is `logprob`. Use one of them, or `--mode ar`."
            )


OFF = Guard(retries=0)
"""One response, whatever it is like."""


def draws(decoding: Decoding) -> bool:
    """Returns whether another seed gives other codes of codebook 0."""
    if decoding.mode == "ar":
        return decoding.beam_width == 1 and decoding.ar.random
    return decoding.unmasking.sampling.random
