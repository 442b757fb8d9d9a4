"""How fast a text is spoken: the length that the model predicts, divided."""

from model.checkpoints.checkpoint import Checkpoint
from model.decoding.asks import Ask
from model.decoding.masked import predict_frames
from model.decoding.options import Decoding
from model.sequences.documents import Condition
from stages.errors import UsageError

MIN_SPEED, MAX_SPEED = 0.25, 4.0
"""The speeds that OpenAI's interface allows."""


def check_speed(speed: float, mode: str) -> None:
    """Raises `UsageError` for a speed out of range, or one other than 1 in a mode that predicts no length."""
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise UsageError(f"`speed` must be {MIN_SPEED:g} to {MAX_SPEED:g}, but is {speed:g}.")
    if speed != 1 and mode == "ar":
        raise UsageError(
            f"`speed` must be 1 with the mode `ar`, which ends where it will, but is {speed:g}. Use the mode `nar-len`"
            " or `all`."
        )


def usual_frames(checkpoint: Checkpoint, phonemes: str) -> tuple[int, int, int] | None:
    """Returns the fewest, the usual and the most frames of a text by the training set's pace; None if it is unknown."""
    lengths = checkpoint.meta.lengths
    return None if lengths is None else lengths.usual_frames(checkpoint.tokenizer, phonemes)


def frames_at(speed: float, checkpoint: Checkpoint, condition: Condition, phonemes: str, *, max_frames: int) -> int:
    """Returns the length that a model predicts for a response, divided by the speed.

    Args:
        speed: How much faster than the model would speak.
        checkpoint: The model.
        condition: What is spoken, and in whose voice.
        phonemes: Those that the response says.
        max_frames: Most frames.

    Raises:
        UsageError: if the response is longer than `max_frames`.
    """
    longest = max(max_frames, int(max_frames * speed))
    predicted = predict_frames(checkpoint.network, checkpoint.tokenizer, [condition], max_frames=longest)[0]
    usual = usual_frames(checkpoint, phonemes)
    predicted = Ask(condition, longest, Decoding(), usual_frames=usual).frames(predicted)
    frames = max(1, round(predicted / speed))
    if frames > max_frames:
        rate = checkpoint.meta.codec.frame_rate
        raise UsageError(
            f"`speed` {speed:g} makes this text {frames / rate:.1f} s long, but the longest response is"
            f" {max_frames / rate:.3g} s (`max_s`, or the longest of the training set). Raise the speed."
        )
    return frames
