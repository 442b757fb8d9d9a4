"""The loss: cross-entropy of each head where it predicts, and how often its likeliest choice is right.

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
    """Sums per head and per task; they add up over batches without weighing them."""

    loss_H: Tensor
    """Summed cross-entropy, in nats."""
    correct_H: Tensor
    """Predictions whose likeliest choice was the right one."""
    count_H: Tensor
    """Predictions."""
    tasks_3J: Tensor
    """The same three sums by task, without a gradient."""
    taught: Tensor | None = None
    """What `model.training.step.distill.Teacher` says of the predictions, summed; None without a teacher."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            self.loss_H + other.loss_H,
            self.correct_H + other.correct_H,
            self.count_H + other.count_H,
            self.tasks_3J + other.tasks_3J,
            None if self.taught is None or other.taught is None else self.taught + other.taught,
        )

    def objective(self, taught_weight: float) -> Tensor:
        """Returns what is minimised: the summed loss or, with a teacher, its mean with `taught` as weighed."""
        loss = self.loss_H.sum()
        return loss if self.taught is None else (1 - taught_weight) * loss + taught_weight * self.taught

    def detach(self) -> "Scores":
        """Returns the scores without the graph that led to them."""
        taught = None if self.taught is None else self.taught.detach()
        return replace(self, loss_H=self.loss_H.detach(), taught=taught)

    def over_devices(self, total: Callable[[Tensor], Tensor]) -> "Scores":
        """Returns the scores of all devices, in float64, given what sums a tensor over them: it is asked once."""
        parts = [self.loss_H, self.correct_H, self.count_H, self.tasks_3J]
        if self.taught is not None:
            parts.append(self.taught)
        packed = total(torch.cat([part.double().flatten() for part in parts]))
        sums = torch.split(packed, [part.numel() for part in parts])
        return Scores(*(one.view_as(part) for one, part in zip(sums, parts, strict=True)))

    def report(self, prefix: str) -> dict[str, float]:
        """Returns mean loss and accuracy: over all predictions, and of each part that predicted at all.

        Parts are the codebooks, `0` (mode ar), `1`, … (the levels of nar); `nar`, its levels together; `canvas`
        (nar-len); `tokens` (len and stt); and the tasks by name. With a teacher also `distill`, the mean of `taught`.
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
        tasks: H tensors `[M]`, the number of each prediction's task in `TASKS`; without them nothing is told by task.
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
