"""The loss: cross-entropy of each head where it predicts, and how often its likeliest choice is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums per head (see `Document.head`), H of them; they add up over batches without weighing them."""

    loss_H: Tensor
    """Summed cross-entropy, in nats."""
    correct_H: Tensor
    """Predictions whose likeliest choice was the right one."""
    count_H: Tensor
    """Predictions."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(self.loss_H + other.loss_H, self.correct_H + other.correct_H, self.count_H + other.count_H)

    def detach(self) -> "Scores":
        """Returns the scores without the graph that led to them."""
        return Scores(self.loss_H.detach(), self.correct_H, self.count_H)

    def report(self, prefix: str) -> dict[str, float]:
        """Returns mean loss and accuracy, over all heads and of each one that predicted at all."""
        losses, correct, counts = (x.tolist() for x in (self.loss_H, self.correct_H, self.count_H))
        total = max(sum(counts), 1)
        report = {f"{prefix}/loss": sum(losses) / total, f"{prefix}/accuracy": sum(correct) / total}
        names = [*map(str, range(len(counts) - 2)), "tokens", "canvas"]
        for name, loss, right, count in zip(names, losses, correct, counts, strict=True):
            if count:
                report[f"{prefix}/loss_{name}"] = loss / count
                report[f"{prefix}/accuracy_{name}"] = right / count
        return report


def score(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Scores:
    """Scores the logits of each head.

    Args:
        logits: H tensors `[M, V]`, float32; M may be 0 and differ.
        targets: H tensors `[M]`.
    """
    loss_H = torch.stack([F.cross_entropy(x, y, reduction="sum") for x, y in zip(logits, targets, strict=True)])
    with torch.no_grad():
        correct_H = torch.stack([(x.argmax(-1) == y).sum() for x, y in zip(logits, targets, strict=True)])
        count_H = torch.tensor([len(y) for y in targets], device=loss_H.device)
    return Scores(loss_H, correct_H, count_H)
