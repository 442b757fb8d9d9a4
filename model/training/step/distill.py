"""Knowledge distillation: a network learns what a trained one, the teacher, says of the same batch, beside the codes.

The loss is (1 - w) CE + w T² KL(teacher ‖ student), both taken at temperature T, for each prediction of every head; T²
keeps the two parts in proportion whatever T is.

Source: Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531.

Axes: M predictions of a head, V codes or tokens.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.checkpoints.checkpoint import find, load, read_config, read_meta, read_tokenizer
from model.config import TrainConfig
from model.network.attention import Attend
from model.network.packing import Batch
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError
from stages.records import CodecIdentity


class Teacher:
    """A trained network that says what it would predict.

    Args:
        config: All sections of the student; `distill.teacher` must be set.
        tokenizer: The student's vocabulary.
        codec: The dataset's.
        device: Where to compute.

    Raises:
        UsageError: as `find_teacher` does; so for the other errors.
        ArtefactError: if its weights are damaged.
    """

    def __init__(self, config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity, device: torch.device) -> None:
        self.config = config.distill
        source = find_teacher(config, tokenizer, codec)
        self.network = load(source, str(device)).network.eval().requires_grad_(False)

    def divergence(self, batch: Batch, attend: Attend, logits: Sequence[Tensor]) -> Tensor:
        """Returns T² KL(teacher ‖ student), summed over the predictions of a batch.

        Args:
            batch: What both read.
            attend: Who may look at whom in it.
            logits: What the student says of it, for each head `[M, V]`.
        """
        with torch.no_grad():
            taught = self.network(batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows)
        parts = zip(taught, logits, strict=True)
        return torch.stack([divergence(teacher, student, self.config.temperature) for teacher, student in parts]).sum()


def divergence(teacher_MV: Tensor, student_MV: Tensor, temperature: float) -> Tensor:
    """Returns T² KL(teacher ‖ student) of logits at a temperature, summed over M, in nats."""
    wanted, found = ((logits / temperature).log_softmax(-1) for logits in (teacher_MV, student_MV))
    return temperature**2 * F.kl_div(found, wanted, reduction="sum", log_target=True)


def find_teacher(config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity) -> Path:
    """Returns where the teacher lies, if the student can learn from it; reads no weights.

    Args:
        config: All sections of the student; `distill.teacher` must be set.
        tokenizer: The student's vocabulary.
        codec: The dataset's.

    Raises:
        UsageError: if its vocabulary or grouping is another, or it never learnt a mode or a task of the student's.
        CodecError: if it speaks another codec's codes.
        MissingInputError: if there is none.
        ArtefactError: if it is damaged.
    """
    source = find(Path(str(config.distill.teacher)))
    read_meta(source).codec.require(codec, config.data.store)
    theirs, teacher = read_config(source), read_tokenizer(source)
    if teacher.tokens != tokenizer.tokens:
        raise _unfit(source, "the vocabulary", _difference(teacher, tokenizer))
    if theirs.model.group != config.model.group:
        raise _unfit(source, f"`model.group` = {config.model.group}", f"has {theirs.model.group}")
    for section in ("modes", "tasks"):
        learnt, wanted = (getattr(each.data, section) for each in (theirs, config))
        if unknown := [name for name, weight in wanted.items() if weight and not learnt.get(name)]:
            raise _unfit(source, f"`data.{section}`", f"never learnt `{unknown[0]}`")
    return source


def _difference(teacher: Tokenizer, student: Tokenizer) -> str:
    for one, other, has in ((student, teacher, "lacks"), (teacher, student, "has, besides,")):
        if odd := [token for token in one.tokens if token not in set(other.tokens)]:
            return f"{has} {len(odd)} tokens, such as `{odd[0]}`"
    return "has the same tokens in another order"


def _unfit(source: Path, what: str, found: str) -> UsageError:
    return UsageError(
        f"`distill.teacher` = `{source}` must share {what} with the model that learns from it, but {found}. Take"
        " another teacher, or begin this model as that one was."
    )
