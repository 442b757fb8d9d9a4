"""Teaches a head to follow the text: the likelihood of all monotonic paths through its attention (section `align`).

Without it, a network first learns how speech sounds, and only much later that the text says which speech: until then it
babbles. The head's weights are read as probabilities of being at a phoneme; the loss is the negative logarithm of the
summed probabilities of all paths on which each position stays at the phoneme of the one before, or goes on by one or
two (a space or a stress mark may be passed over). It needs no alignment of the data.

Sources: the forward-sum loss of One TTS Alignment To Rule Them All, section 3.1, https://arxiv.org/abs/2108.10447;
attention guided to be monotonic, section 4.1 of https://arxiv.org/abs/1710.08969.

Axes: L positions of a batch, B documents, M positions of a response, S phonemes, N heads of a layer, H head width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.network.attention import Attend
from model.network.packing import Batch
from model.network.ssm import Scan

_NEVER = -1e4
"""Log probability of what no path may do; finite, so that sums of it have a gradient."""
_STEPS = 3
"""A path stays, or goes on by one or two."""


class Following:
    """Attention that also scores how well the first head of a layer follows the texts.

    Args:
        attend: What computes the attention.
        batch: Its documents; those that aren't `aligned` have no score.
        layer: The layer, from 0.
    """

    def __init__(self, attend: Attend, batch: Batch, layer: int) -> None:
        self._attend, self._batch, self._layer = attend, batch, layer
        self._loss: Tensor | None = None

    @property
    def loss(self) -> Tensor:
        """The negative log likelihoods of the paths, in nats, summed over the documents; after the layer was run."""
        if self._loss is None:
            raise RuntimeError("the network must run before its attention is scored")
        return self._loss

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[L, N, H]` tensors, and scores it."""
        if layer == self._layer:
            self._loss = self._score(q[:, 0].float(), k[:, 0].float())
        return self._attend(layer, q, k, v)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes retention, which has no weights to score."""
        return self._attend.retain(layer, q, k, v)

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Computes a state space, which has no weights to score."""
        return self._attend.scan(layer, features, steps, ways)

    def _score(self, q_LH: Tensor, k_LH: Tensor) -> Tensor:
        found = []
        start = 0
        for number, (length, place) in enumerate(zip(self._batch.lengths, self._batch.aligned, strict=True)):
            if place.phonemes:
                causal = number < self._batch.causal
                q, k = q_LH[start : start + length], k_LH[start : start + length]
                scores_ML = q[place.first : place.first + place.positions] @ k.T * q.shape[-1] ** -0.5
                if causal:
                    last = place.first + torch.arange(place.positions, device=q.device)
                    later_ML = torch.arange(length, device=q.device) > last[:, None]
                    scores_ML = scores_ML.masked_fill(later_ML, -torch.inf)
                found.append(scores_ML.log_softmax(-1)[:, place.text : place.text + place.phonemes])
            start += length
        return forward_sum(found) if found else q_LH.sum() * 0


def forward_sum(logs: Sequence[Tensor]) -> Tensor:
    """Returns the negative log likelihood of all monotonic paths, summed over documents.

    Args:
        logs: Of each document the log probability that a position is at a phoneme, `[M, S]` float32; M and S at least 1
            and such that a path reaches the end: 2 M > S - 1.

    A path begins at one of the first two phonemes and ends at one of the last two.
    """
    rows, columns = max(len(one) for one in logs), max(one.shape[1] for one in logs)
    logs_BMS = torch.stack(
        [torch.nn.functional.pad(one, (0, columns - one.shape[1], 0, rows - len(one)), value=_NEVER) for one in logs]
    )
    sizes_2B = torch.tensor([[len(one) for one in logs], [one.shape[1] for one in logs]], device=logs_BMS.device)
    with torch.no_grad():
        total_B, share_BMS = _posterior(logs_BMS, *sizes_2B)
    # The gradient of the log likelihood by a log probability is the share of the paths that go through it.
    through = (share_BMS * logs_BMS).sum()
    return through.detach() - total_B.sum() - through


def _posterior(logs_BMS: Tensor, rows_B: Tensor, columns_B: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the log likelihood of all paths, `[B]`, and the share of them through each place, `[B, M, S]`."""
    documents, rows, columns = logs_BMS.shape
    place_S = torch.arange(columns, device=logs_BMS.device)
    forward = _sums(logs_BMS, torch.where(place_S < 2, 0.0, _NEVER).expand(documents, -1))
    # Backwards, each document is read from its own end; so both its axes are reversed within its own size.
    row_BM1 = (rows_B[:, None] - 1 - torch.arange(rows, device=logs_BMS.device)).clamp_min(0)[..., None]
    column_B1S = (columns_B[:, None] - 1 - place_S).clamp_min(0)[:, None]
    turn = row_BM1.expand(-1, -1, columns), column_B1S.expand(-1, rows, -1)
    turned_BMS = logs_BMS.gather(1, turn[0]).gather(2, turn[1])
    inside_BMS = (torch.arange(rows, device=place_S.device) < rows_B[:, None])[..., None] & (
        place_S < columns_B[:, None]
    )[:, None]
    backward = _sums(
        turned_BMS.masked_fill(~inside_BMS, _NEVER), torch.where(place_S < 2, 0.0, _NEVER).expand(documents, -1)
    )
    backward = backward.gather(1, turn[0]).gather(2, turn[1])
    through_BMS = (forward + backward - logs_BMS).masked_fill(~inside_BMS, -torch.inf)
    # Every path goes through exactly one place of the first row.
    total_B = through_BMS[:, 0].logsumexp(-1)
    return total_B, (through_BMS - total_B[:, None, None]).exp()


def _sums(logs_BMS: Tensor, first_BS: Tensor) -> Tensor:
    """Returns the log likelihood of all beginnings of paths that end at a place, it included, `[B, M, S]`."""
    sums = [first_BS + logs_BMS[:, 0]]
    for row in range(1, logs_BMS.shape[1]):
        padded_BS = torch.nn.functional.pad(sums[-1], (_STEPS - 1, 0), value=_NEVER)
        reached_BS = padded_BS.unfold(1, _STEPS, 1).logsumexp(-1)
        sums.append(reached_BS + logs_BMS[:, row])
    return torch.stack(sums, 1)
