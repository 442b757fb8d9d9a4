"""What comes of speaking: the wave, its codes, and what was said."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from model.decoding.engine.exits import Layers
from stages.records import Codes, Wave

if TYPE_CHECKING:
    from model.checkpoints.checkpoint import Meta
    from model.decoding.asks import Ask, Response
    from model.inference.guards.takes import Fault
    from model.inference.recital import Said
    from stages.codecs.table import Codec


@dataclass(frozen=True, slots=True)
class Speech:
    """A response: the wave, its codes, and what was spoken."""

    samples: Wave
    """Mono, float32 in [-1, 1]."""
    sample_rate: int
    """Hz."""
    codes: Codes
    """`[K, T]`; those of several parts one after the other, without their pauses."""
    language: str
    """ISO 639-1 code; "" where there is no text."""
    phonemes: str
    unseen: str
    """Phoneme symbols that the training set didn't contain: the model guesses them."""
    cut: bool
    """Whether it reached the longest length allowed, or was stopped as faulty, and so may lack its end."""
    compute_s: float
    """Seconds of computing, codec and phonemes included."""
    sentences: int = 1
    """Number of sentences in the text."""
    parts: "tuple[Said, ...]" = ()
    """What was spoken, part by part; () for speech that wasn't made from a text alone."""
    unsaid: str = ""
    """The rest of the text, if the longest length allowed was reached before it."""
    notes: tuple[str, ...] = ()
    """What the user should know of the voice that was used."""
    layers: Layers | None = None
    """With early exit (`Decoding.layer_skip`): how many layers it left out, of all steps."""
    takes: int = 1
    """Responses that were generated: more than one a part if some were faulty, or the best of several was wanted."""
    faults: "tuple[Fault, ...]" = ()
    """What is wrong with it all the same, a fault for each part that has one."""
    discarded: "tuple[Fault, ...]" = ()
    """The faults of responses that weren't used."""
    passes: int | None = None
    """How often the network was run for codebook 0; None where frames aren't drawn one by one."""

    @classmethod
    def of(cls, ask: "Ask", response: "Response", samples: Wave, codec: "Codec", meta: "Meta") -> Self:
        """Returns a single response of a model as speech, with the wave that the codec gave; computing took no time."""
        from stages.codecs.table import output_rate

        condition = ask.condition
        return cls(
            samples,
            output_rate(codec),
            response.codes_KT,
            language=condition.language,
            phonemes=condition.phonemes,
            unseen="".join(sorted(set(condition.phonemes) - set(meta.symbols))),
            cut=response.end != "stop" and ask.least_frames < ask.most_frames,
            compute_s=0.0,
            layers=response.layers,
            passes=response.passes,
        )

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / self.sample_rate

    @property
    def frames_per_pass(self) -> float | None:
        """Frames that a run of the network gave: more where heads ahead proposed right ones; None as `passes` is."""
        return None if self.passes is None else self.codes.shape[1] / self.passes
