"""Generates the codes of responses that are all known beforehand."""

from collections.abc import Sequence

from model.decoding.asks import Ask, Response
from model.decoding.continuous import Engine
from model.decoding.engine.step import Step
from model.decoding.options import Decoding
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


def generate(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    seeds: Sequence[int] | None = None,
    step: Step | None = None,
    usual_frames: Sequence[tuple[int, int, int] | None] | None = None,
) -> list[Codes]:
    """Generates a response to each condition, side by side.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1. If equal to `max_frames`, `nar-len` and `all` predict no length.
        decoding: How the codes are chosen. A guidance of None is off; `Decoding.settled` fills in a model's default.
        seeds: One per condition, of all its draws: a condition with its seed gives the same codes in any batch. 0 by
            default.
        step: The network laid out for single steps, which makes `ar` faster.
        usual_frames: Of each condition, as in `Ask`.

    Returns:
        One `[K, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    count = len(conditions)
    each = zip(conditions, seeds or [0] * count, usual_frames or [None] * count, strict=True)
    asks = [Ask(condition, max_frames, decoding, min_frames, seed, usual) for condition, seed, usual in each]
    return [response.codes_KT for response in _responses(network, tokenizer, asks, step)]


def respond(network: Decoder, tokenizer: Tokenizer, ask: Ask, *, step: Step | None = None) -> Response:
    """Generates one response; arguments as in `generate`."""
    (response,) = _responses(network, tokenizer, [ask], step)
    return response


def _responses(network: Decoder, tokenizer: Tokenizer, asks: Sequence[Ask], step: Step | None) -> list[Response]:
    engine = Engine(network, tokenizer, step=step, rows=max(1, len(asks)))
    jobs = [engine.submit(ask) for ask in asks]
    while len(engine):
        engine.advance()
    return [job.response for job in jobs if job.response]
