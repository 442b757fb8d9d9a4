"""The loss: cross-entropy of each codebook where it is predicted, and how often the likeliest code is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums per codebook; they add up over batches without weighing them."""

    loss_K: Tensor
    """Summed cross-entropy, in nats."""
    correct_K: Tensor
    """Predictions whose likeliest code was the right one."""
    count_K: Tensor
    """Predictions."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(self.loss_K + other.loss_K, self.correct_K + other.correct_K, self.count_K + other.count_K)

    def detach(self) -> "Scores":
        """Returns the scores without the graph that led to them."""
        return Scores(self.loss_K.detach(), self.correct_K, self.count_K)

    def report(self, prefix: str) -> dict[str, float]:
        """Returns mean loss and accuracy, over all codebooks and of each one that was predicted at all."""
        losses, correct, counts = (x.tolist() for x in (self.loss_K, self.correct_K, self.count_K))
        total = max(sum(counts), 1)
        report = {f"{prefix}/loss": sum(losses) / total, f"{prefix}/accuracy": sum(correct) / total}
        for level, count in enumerate(counts):
            if count:
                report[f"{prefix}/loss_{level}"] = losses[level] / count
                report[f"{prefix}/accuracy_{level}"] = correct[level] / count
        return report


def score(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Scores:
    """Scores the logits of each codebook.

    Args:
        logits: K tensors `[M, V]`, float32; M may be 0 and differ.
        targets: K tensors `[M]` of codes.
    """
    loss_K = torch.stack([F.cross_entropy(x, y, reduction="sum") for x, y in zip(logits, targets, strict=True)])
    with torch.no_grad():
        correct_K = torch.stack([(x.argmax(-1) == y).sum() for x, y in zip(logits, targets, strict=True)])
        count_K = torch.tensor([len(y) for y in targets], device=loss_K.device)
    return Scores(loss_K, correct_K, count_K)
