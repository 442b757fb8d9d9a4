"""Generates codebook 0 of one response in fewer passes of the network (mode `ar`), for models with heads ahead.

The heads (`model.ahead`) propose the next steps. One pass reads the code drawn last and all proposals after it; then
each place's code is drawn as one after the other would be: from the network's own logits, with the place's own key and
what was drawn before. As long as the draw is what was proposed, the pass has read what was drawn, and so has the logits
of the next place. What was read after a wrong proposal is overwritten by the next pass.

So the codes are those of single steps, drawn or greedy, but for the rounding of matrix products of another size; and no
sampler ever sees a proposal that wasn't drawn. Proposals are drawn with their places' keys, too: two draws by one key
are mostly the same where their distributions are close, however flat these are.

Sources: Medusa, https://arxiv.org/abs/2401.10774; checking drafts in one pass, Leviathan, Kalman and Matias,
https://arxiv.org/abs/2211.17192; draft and model drawing by the same random numbers, Daliri, Musco and Suresh,
https://arxiv.org/abs/2408.07978.

Axes: L places of a pass, N heads ahead, G frames of a group, M = N * G, V codes.
"""

from typing import Protocol

import torch
from torch import Tensor

from model.decoding.options import Decoding
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import keys_of
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from stages.errors import UsageError


def looks_ahead(network: Decoder, decoding: Decoding) -> bool:
    """Returns whether the heads ahead are to be used while a response has the steps for itself.

    Raises:
        UsageError: if that is asked for (`Decoding.ahead`), but the network can't.
    """
    config = network.config
    if decoding.ahead and not config.ahead:
        raise UsageError("`ahead` must be left out: the model has no heads ahead. Train it with `model.ahead` above 0.")
    if decoding.ahead and config.is_recurrent:
        raise UsageError(
            f"`ahead` must be left out: the model's `model.arch` is {config.arch}, whose state can't go back to before"
            " a wrong proposal."
        )
    stepwise = decoding.mode == "ar" and decoding.beam_width == 1 and not decoding.layer_skip
    return config.ahead > 0 and not config.is_recurrent and stepwise and decoding.ahead is not False


class Drawing(Protocol):
    """The one response that is drawn."""

    least_B: Tensor

    def draw(self, logits_BGV: Tensor) -> Tensor:
        """Draws the next group, `[1, G]`; then `count` must be called."""

    def count(self) -> None:
        """Counts a group that was drawn."""

    def propose(self, logits_BNGV: Tensor) -> Tensor:
        """Draws proposals for the groups after the next one, `[1, N, G]`, and changes nothing."""

    @property
    def left(self) -> int:
        """Groups that may still be drawn; 0 once the response has ended."""


def advance_ahead(steps: Steps, drawing: Drawing, last_1G: Tensor) -> Tensor:
    """Runs the network once, and draws all groups that this run gives.

    Args:
        steps: Of the one response.
        drawing: It; at least one group is left.
        last_1G: The group drawn last, which the steps haven't taken yet.

    Returns:
        The group drawn last, which the steps haven't taken yet.
    """
    proposed_1NG = drawing.propose(steps.logits_ahead(drawing.least_B))[:, : drawing.left - 1]
    hidden_ALD = steps.read(torch.cat((last_1G[:, None], proposed_1NG), 1))
    logits_1LGV = steps.logits_after(hidden_ALD, drawing.least_B, first=1)
    right = 0
    for place in range(logits_1LGV.shape[1]):
        last_1G = drawing.draw(logits_1LGV[:, place])
        drawing.count()
        right += 1
        if not drawing.left or place == proposed_1NG.shape[1] or not last_1G.equal(proposed_1NG[:, place]):
            break
    steps.keep(hidden_ALD, right)
    return last_1G


def proposals(logits_1NGV: Tensor, sampling: Sampling, seed_1: Tensor, draws: Draws) -> Tensor:
    """Draws proposals for the groups after the next one, `[1, N, G]`.

    Samplers that look back see what was drawn so far, as if the proposals followed it at once; that makes none of them
    wrong, since each is checked.

    Args:
        logits_1NGV: Of the heads ahead.
        sampling: How the codes are drawn.
        seed_1: Of the response's draws.
        draws: What was drawn, up to the next group; isn't changed.
    """
    logits_MV = logits_1NGV.flatten(0, 2)
    rows, keys_M = len(logits_MV), None
    if sampling.random:
        keys_M = keys_of(seed_1, draws.lengths_B + torch.arange(rows, device=seed_1.device))
    state = {name: kept.repeat(rows, *[1] * (kept.dim() - 1)) for name, kept in draws.state.items()}
    seen = Draws(draws.codes_BT.expand(rows, -1), draws.lengths_B.expand(rows), draws.stop, state)
    return sample(logits_MV, sampling, keys_M, seen).view(logits_1NGV.shape[:-1])
