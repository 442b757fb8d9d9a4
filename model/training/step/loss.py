"""The loss: cross-entropy of each head where it predicts, and its accuracy.

Axes: H heads (see `Document.head`), J tasks (`model.sequences.tokenizer.TASKS`), M predictions of a head, V codes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.network.transfer import to_device
from model.sequences.tokenizer import TASKS


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
    taught: Tensor | None = None
    """Summed divergence from `model.training.step.distill.Teacher`; None without a teacher."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            self.loss_H + other.loss_H,
            self.correct_H + other.correct_H,
            self.count_H + other.count_H,
            self.tasks_3J + other.tasks_3J,
            None if self.taught is None or other.taught is None else self.taught + other.taught,
        )

    def objective(self, taught_weight: float) -> Tensor:
        """Returns the sum to minimise: the loss or, with a teacher, (1 - w) loss + w `taught`; w is `taught_weight`."""
        loss = self.loss_H.sum()
        return loss if self.taught is None else (1 - taught_weight) * loss + taught_weight * self.taught

    def detach(self) -> "Scores":
        """Returns the scores detached from the autograd graph."""
        taught = None if self.taught is None else self.taught.detach()
        return replace(self, loss_H=self.loss_H.detach(), taught=taught)

    def over_devices(self, total: Callable[[Tensor], Tensor]) -> "Scores":
        """Sums the scores over all devices, in float64, with one call of `total`, which sums a tensor over them."""
        parts = [self.loss_H, self.correct_H, self.count_H, self.tasks_3J]
        if self.taught is not None:
            parts.append(self.taught)
        packed = total(torch.cat([part.double().flatten() for part in parts]))
        sums = torch.split(packed, [part.numel() for part in parts])
        return Scores(*(value.view_as(part) for value, part in zip(sums, parts, strict=True)))

    def report(self, prefix: str) -> dict[str, float]:
        """Returns the mean loss and accuracy, over all predictions and of each part that has predictions.

        The parts are the codebooks, `0` (mode ar), `1`, … (levels of nar); `nar`, all its levels together; `canvas`
        (nar-len); `tokens` (len and stt); and each task by name. With a teacher, `distill` is the mean of `taught`.
        """
        heads = torch.stack([self.loss_H.double(), self.correct_H.double(), self.count_H.double()]).cpu()
        codebooks = heads.shape[1] - 2
        names = ["", *map(str, range(codebooks)), "tokens", "canvas", "nar", *TASKS]
        nar = heads[:, 1:codebooks].sum(1, keepdim=True)
        sums = torch.cat([heads.sum(1, keepdim=True), heads, nar, self.tasks_3J.double().cpu()], 1)
        report = {}
        for name, (loss, correct, count) in zip(names, sums.T.tolist(), strict=True):
            if count or not name:
                part = f"_{name}" if name else ""
                report[f"{prefix}/loss{part}"] = loss / max(count, 1)
                report[f"{prefix}/accuracy{part}"] = correct / max(count, 1)
        if self.taught is not None:
            report[f"{prefix}/distill"] = float(self.taught) / max(float(self.count_H.sum()), 1)
        return report


def score(logits: Sequence[Tensor], targets: Sequence[Tensor], tasks: Sequence[Tensor] = ()) -> Scores:
    """Scores the logits of each head.

    Args:
        logits: H tensors `[M, V]`, float32; M may be 0 and differ.
        targets: H tensors `[M]`.
        tasks: H tensors `[M]`, each prediction's task as an index into `TASKS`; without them, the sums per task are 0.
    """
    losses = [F.cross_entropy(x, y, reduction="none") for x, y in zip(logits, targets, strict=True)]
    loss_H = torch.stack([loss.sum() for loss in losses])
    with torch.no_grad():
        right = [x.argmax(-1) == y for x, y in zip(logits, targets, strict=True)]
        correct_H = torch.stack([x.sum() for x in right])
        count_H = to_device(torch.tensor([len(y) for y in targets]), loss_H.device)
        tasks_3J = loss_H.new_zeros(3, len(TASKS))
        if tasks:
            all_losses, all_right = torch.cat(losses), torch.cat(right).float()
            tasks_3J.index_add_(
                1, torch.cat(list(tasks)), torch.stack([all_losses, all_right, torch.ones_like(all_right)])
            )
    return Scores(loss_H, correct_H, count_H, tasks_3J)
