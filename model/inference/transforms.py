"""What is asked of the network to turn speech into other speech.

Axes: K codebooks, S input frames.
"""

from model.decoding.asks import Ask
from model.decoding.options import Decoding
from model.inference.prompts import Preparation
from model.inference.requests import replaced_frames
from model.inference.voices import Voice
from model.sequences.documents import Condition
from model.sequences.tasks import TRANSFORMS, Transform
from stages.errors import UsageError
from stages.records import Codes


def transform_ask(
    task: Transform,
    preparation: Preparation,
    input_KS: Codes,
    max_frames: int,
    *,
    text: str | None,
    voice: Voice | None,
    replace_s: tuple[float, float] | None,
    language: str | None,
    tone: str | None,
    decoding: Decoding,
    seed: int,
) -> Ask:
    """Returns what to generate for `Synthesizer.transform`, whose arguments these are.

    Args:
        task: What to do.
        preparation: Of the model.
        input_KS: The input.
        max_frames: Longest input and response.
        text: What is said in the output.
        voice: For tasks with a prompt.
        replace_s: Start and end of the stretch to replace, in seconds.
        language: Of the text.
        tone: Of the response.
        decoding: With its guidance filled in.
        seed: Of all draws.

    Raises:
        UsageError: if the input is longer than `max_frames`, or the stretch isn't within it.
        TextError: if the text's language is unknown.
    """
    frames, rate = input_KS.shape[1], preparation.frame_rate
    if not 0 < frames <= max_frames:
        raise UsageError(
            f"`audio` must be at most {max_frames / rate:g} s long (`max_s`), but is"
            f" {frames / rate:g} s. Cut it, or raise `max_s`."
        )
    phonemes, code = preparation.phonemes(text, language) if text and text.strip() else ("", "")
    shown = None if voice is None else voice.beginning(preparation.prompt_frames)
    prompt_KP, mixed = (shown.codes_KP, shown.mixed) if shown else (input_KS[:, :0], ())
    replaced_S = None if replace_s is None else replaced_frames(frames, rate, *replace_s)
    given = phonemes, code, prompt_KP, task, input_KS, replaced_S
    condition = Condition(*given, preparation.tone(tone), mixed)
    least, most = (frames, frames) if TRANSFORMS[task].same_length else (1, max_frames)
    return Ask(condition, most, decoding, least, seed)
