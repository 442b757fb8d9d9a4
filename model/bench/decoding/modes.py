"""`valle bench modes`: whole responses frame by frame, and those made at once, with a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from model.bench.basis.rates import Values, rates
from model.bench.decoding.trained import asks_of, load_trained
from model.checkpoints.checkpoint import Checkpoint
from model.config import TrainConfig
from model.decoding.asks import Ask
from model.decoding.continuous import Engine
from model.decoding.engine import Quantization
from model.decoding.engine.matrices import quantized
from model.decoding.engine.step import Step, laid_out
from model.decoding.options import Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import Sampling
from model.device import hardware
from model.network.decoder import Decoder

RESPONSES = 6
"""Utterances that are spoken."""
STEPS: Mapping[FirstMode, Sequence[int]] = {"nar-len": (16,), "all": (4, 6, 8)}
"""Passes that are measured."""
_GUIDANCE: Mapping[FirstMode, float] = {"ar": 1.5, "nar-len": 2.0, "all": 2.0}
"""As `make sentences` speaks; any scale above 1 costs the same."""


def modes(config: TrainConfig, *, seconds: float) -> Values:
    """Measures whole responses, all codebooks, in each mode: one after the other, and together.

    What the model has learnt doesn't change the speed, since lengths are given: each response is as long as its
    recording. So modes that it wasn't trained in are measured too. Prompts and texts are read anew for each response.

    Args:
        config: Of it: `trainer.start_from`, a trained model; `data.store`, a dataset of its codec, whose validation
            utterances are spoken; `trainer.device` and `trainer.threads`.
        seconds: Least seconds to measure each side.

    Returns:
        For each mode and number of passes, in float32 (on CUDA as the device computes) and in 8 bits where possible:
        frames a second alone and together, and the ratio to `ar` held the same way. With guidance if the model was
        trained for it, as `make sentences` draws; without the codec.

    Raises:
        UsageError: if no model is named, or the dataset has no validation utterances.
    """
    model, where = load_trained(config, "modes", "a run")
    network = model.network
    asks = asks_of(model, config.data.store, RESPONSES)
    frames = sum(ask.most_frames for ask in asks)
    kinds: tuple[Quantization, ...] = ("none", "int8") if Step.fits(network) else ("none",)
    found: Values = {
        "hardware": hardware(where),
        "parameters": network.num_parameters(),
        "responses": len(asks),
        "frames": frames,
    }
    for kind in kinds:
        held, step = quantized(network, kind), laid_out(network, kind)
        for company, together in ("alone", False), ("together", True):
            sides = {
                name: partial(_speak, held, model, [replace(ask, decoding=how) for ask in asks], step, together)
                for name, how in _decodings(guided=model.config.data.unconditional_probability > 0).items()
            }
            per_s = rates(sides, seconds, where)
            for name, rate in per_s.items():
                title = f"{name}_{company}" if kind == "none" else f"{name}_{kind}_{company}"
                found[f"{title}_frames_per_s"] = round(rate * frames, 1)
                if name != "ar":
                    found[f"{title}_ratio"] = round(rate / per_s["ar"], 2)
    return found


def _decodings(*, guided: bool) -> dict[str, Decoding]:
    """Returns the sides: the modes, with each number of passes."""
    scales = _GUIDANCE if guided else dict.fromkeys(_GUIDANCE, 1.0)
    sides = {"ar": Decoding("ar", Sampling(0.7, top_p=0.9), guidance=scales["ar"])}
    for mode, numbers in STEPS.items():
        for number in numbers:
            name = f"{mode.replace('-', '_')}_{number}"
            sides[name] = Decoding(mode, unmasking=Unmasking(number), guidance=scales[mode])
    return sides


def _speak(network: Decoder, model: Checkpoint, asks: Sequence[Ask], step: Step | None, together: bool) -> None:
    """Makes the responses, one after the other or `together`."""
    for some in [asks] if together else [[ask] for ask in asks]:
        engine = Engine(network, model.tokenizer, step=step)
        for ask in some:
            engine.submit(ask)
        while len(engine):
            engine.advance()
