"""The loss: cross-entropy of each head where it predicts, and its accuracy.

Heads ahead (`model.ahead`) have terms of their own: 0.8 ** n times that of head n, as in Medusa-1, section 2.2.1,
https://arxiv.org/abs/2401.10774, summed and weighed against the rest as in Medusa-2, section 2.2.2.

Axes: H heads (see `Document.head`), N heads ahead, J tasks (`model.sequences.tokenizer.TASKS`), M predictions of a
head, V codes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.network.transfer import to_device
from model.sequences.tokenizer import TASKS

AHEAD_DECAY = 0.8
"""What each further head ahead counts of the one before it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the terms of the loss weigh."""

    taught: float = 0.0
    """A teacher's, `distill.weight`."""
    ahead: float = 0.0
    """That of the heads ahead, `ahead.weight`."""
    followed: float = 0.0
    """That of the head that follows the text, `align.weight`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums of losses and correct predictions, per head and per task; adding them over batches needs no weights."""

    loss_H: Tensor
    """Summed cross-entropy, in nats."""
    correct_H: Tensor
    """Number of predictions whose likeliest choice is right."""
    count_H: Tensor
    """Number of predictions."""
    tasks_3J: Tensor
    """The same three sums per task, without a gradient."""
    ahead_3N: Tensor
    """The same three sums per head ahead; none of the sums above counts these."""
    taught: Tensor | None = None
    """Summed divergence from `model.training.step.distill.Teacher`; None without a teacher."""
    followed: Tensor | None = None
    """Summed `model.training.step.aligning.Following.loss`; None if no head is taught to follow the text."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            self.loss_H + other.loss_H,
            self.correct_H + other.correct_H,
            self.count_H + other.count_H,
            self.tasks_3J + other.tasks_3J,
            self.ahead_3N + other.ahead_3N,
            None if self.taught is None or other.taught is None else self.taught + other.taught,
            None if self.followed is None or other.followed is None else self.followed + other.followed,
        )

    def objective(self, weights: Weights) -> Tensor:
        """Returns the sum to minimise: the loss or, with a teacher, (1 - w) loss + w `taught`; plus the heads ahead."""
        loss = self.loss_H.sum()
        if self.taught is not None:
            loss = (1 - weights.taught) * loss + weights.taught * self.taught
        if self.followed is not None:
            loss = loss + weights.followed * self.followed
        for number, ahead in enumerate(self.ahead_3N[0], 1):
            loss = loss + weights.ahead * AHEAD_DECAY**number * ahead
        return loss

    def detach(self) -> "Scores":
        """Returns the scores detached from the autograd graph."""
        taught = None if self.taught is None else self.taught.detach()
        followed = None if self.followed is None else self.followed.detach()
        return replace(
            self, loss_H=self.loss_H.detach(), ahead_3N=self.ahead_3N.detach(), taught=taught, followed=followed
        )

    def over_devices(self, total: Callable[[Tensor], Tensor]) -> "Scores":
        """Sums the scores over all devices, in float64, with one call of `total`, which sums a tensor over them."""
        parts = [self.loss_H, self.correct_H, self.count_H, self.tasks_3J, self.ahead_3N]
        further = {name: part for name in ("taught", "followed") if (part := getattr(self, name)) is not None}
        parts += further.values()
        packed = total(torch.cat([part.double().flatten() for part in parts]))
        sums = torch.split(packed, [part.numel() for part in parts])
        views = [value.view_as(part) for value, part in zip(sums, parts, strict=True)]
        return Scores(*views[:5], **dict(zip(further, views[5:], strict=True)))

    def report(self, prefix: str) -> dict[str, float]:
        """Returns the mean loss and accuracy, over all predictions and of each part that has predictions.

        The parts are the codebooks, `0` (mode ar), `1`, … (levels of nar); `nar`, all its levels together; `canvas`
        (nar-len); `all_0`, … (the drawn codebook of the mode all), `all`, these together, and `all_above` (the others
        above it); `tokens` (len, stt and the text tasks); and each task by name. With a teacher, `distill` is the mean
        of `taught`. `ahead_1`, … are the heads ahead.
        """
        heads = torch.stack([self.loss_H.double(), self.correct_H.double(), self.count_H.double()]).cpu()
        codebooks = (heads.shape[1] - 1) // 3
        ahead = [f"ahead_{number}" for number in range(1, 1 + self.ahead_3N.shape[1])]
        each, later = codebooks + 2, 2 * codebooks + 2
        own = [f"all_{codebook}" for codebook in range(codebooks)]
        names = ["", *map(str, range(codebooks)), "tokens", "canvas", *own, "nar", "all", "all_above", *TASKS, *ahead]
        groups = (slice(1, codebooks), slice(each, later), slice(later, None))
        together = [heads[:, group].sum(1, keepdim=True) for group in groups]
        more = (part.detach().double().cpu() for part in (self.tasks_3J, self.ahead_3N))
        sums = torch.cat([heads.sum(1, keepdim=True), heads[:, :later], *together, *more], 1)
        report = {}
        for name, (loss, correct, count) in zip(names, sums.T.tolist(), strict=True):
            if count or not name:
                part = f"_{name}" if name else ""
                report[f"{prefix}/loss{part}"] = loss / max(count, 1)
                report[f"{prefix}/accuracy{part}"] = correct / max(count, 1)
        if self.taught is not None:
            report[f"{prefix}/distill"] = float(self.taught) / max(float(self.count_H.sum()), 1)
        if self.followed is not None:
            report[f"{prefix}/align"] = float(self.followed) / max(float(self.count_H.sum()), 1)
        return report


def score(
    logits: Sequence[Tensor], targets: Sequence[Tensor], tasks: Sequence[Tensor] = (), *, ahead: int = 0
) -> Scores:
    """Scores the logits of each head.

    Args:
        logits: H + N tensors `[M, V]`, float32; M may be 0 and differ.
        targets: H + N tensors `[M]`.
        tasks: H + N tensors `[M]`, each prediction's task as an index into `TASKS`; without them, the sums per task
            are 0.
        ahead: N.
    """
    losses = [F.cross_entropy(x, y, reduction="none") for x, y in zip(logits, targets, strict=True)]
    heads = len(losses) - ahead
    loss = torch.stack([one.sum() for one in losses])
    with torch.no_grad():
        right = [x.argmax(-1) == y for x, y in zip(logits, targets, strict=True)]
        correct = torch.stack([x.sum() for x in right])
        count = to_device(torch.tensor([len(y) for y in targets]), loss.device)
        tasks_3J = loss.new_zeros(3, len(TASKS))
        if tasks:
            all_losses, all_right = torch.cat(losses[:heads]), torch.cat(right[:heads]).float()
            tasks_3J.index_add_(
                1, torch.cat(list(tasks[:heads])), torch.stack([all_losses, all_right, torch.ones_like(all_right)])
            )
    ahead_3N = torch.stack([loss[heads:], correct[heads:].to(loss.dtype), count[heads:].to(loss.dtype)])
    return Scores(loss[:heads], correct[:heads], count[:heads], tasks_3J, ahead_3N)
