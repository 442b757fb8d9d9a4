"""What decoding is asked for, and what it answers.

Axes: K codebooks, T response frames.
"""

from dataclasses import dataclass
from typing import Literal

from model.decoding.engine.exits import Layers
from model.decoding.options import Decoding
from model.decoding.watch import Watch
from model.sequences.documents import Condition
from stages.records import Codes

End = Literal["stop", "length", "loop", "silence"]
"""How a response ended: by itself, at its longest length, or stopped by a watch, because it repeated itself or was
silent for too long."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A response to generate."""

    condition: Condition
    """What to say, and in whose voice."""
    most_frames: int
    decoding: Decoding
    """With its guidance filled in (`Decoding.settled`)."""
    least_frames: int = 1
    """If equal to `most_frames`, `nar-len` and `all` predict no length."""
    seed: int = 0
    """Of all its draws: a condition with its seed gives the same codes in any company."""
    usual_frames: tuple[int, int, int] | None = None
    """Fewest, usual and most frames that the text takes in the training set. In `nar-len` and `all`, a predicted length
    that is none of these is replaced by the usual one; None takes any."""
    watch: Watch | None = None
    """What stops it when it repeats itself or is silent for too long; None: nothing does."""

    def frames(self, predicted: int) -> int:
        """Returns the frames of a response for which the network predicts so many."""
        if self.usual_frames:
            fewest, usual, most = self.usual_frames
            predicted = predicted if fewest <= predicted <= most else usual
        return min(max(predicted, self.least_frames), self.most_frames)


@dataclass(frozen=True, slots=True)
class Response:
    """What was generated."""

    codes_KT: Codes
    """uint16, `least_frames` <= T <= `most_frames`."""
    end: End
    mean_logprob: float | None = None
    """Mean natural log-probability of the codes of codebook 0 and the stop code, by the model's own distribution
    (with guidance, without samplers); None where frames aren't drawn one by one."""
    layers: Layers | None = None
    """With early exit (`Decoding.layer_skip`): how many layers it left out of the steps."""
    passes: int | None = None
    """How often the network was run for codebook 0, the reading of the condition included; None where frames aren't
    drawn one by one. Heads ahead (`decoding.ahead`) make it fewer than groups of frames."""
