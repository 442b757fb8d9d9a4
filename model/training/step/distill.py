"""Knowledge distillation: a network learns from a trained teacher's predictions for the same batch, besides the codes.

The loss of each prediction is (1 - w) CE + w T² KL(teacher ‖ student), with the KL divergence taken at temperature T.
T² keeps the two parts in proportion for any T.

With `distill.guidance` the teacher's predictions are those of classifier-free guidance at that scale, as decoding
guides them: of codebook 0 in ar, nar-len and all. So the student speaks in one pass as the teacher does in two.

Sources: Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531; the distillation of guidance, at a
fixed scale, Meng et al. 2022, section 3.1, https://arxiv.org/abs/2210.03142.

Axes: M predictions of a head, V codes or tokens.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.checkpoints.checkpoint import find, load, read_config, read_meta, read_tokenizer
from model.config import TrainConfig
from model.decoding.samplers.guidance import guide
from model.network.attention import Attend
from model.network.packing import Batch
from model.sequences.heads import head_of_all
from model.sequences.tokenizer import Tokenizer
from model.training.step.unconditional import unconditional
from stages.errors import UsageError
from stages.records import CodecIdentity


class Teacher:
    """A trained network whose predictions the student learns from.

    Args:
        config: All sections of the student; `distill.teacher` must be set.
        tokenizer: The student's vocabulary.
        codec: The dataset's codec.
        device: Device of the teacher.

    Raises:
        UsageError: as in `find_teacher`, which also raises CodecError and MissingInputError.
        ArtefactError: if the teacher's configuration or weights are damaged.
    """

    def __init__(self, config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity, device: torch.device) -> None:
        self.config, self._tokenizer = config.distill, tokenizer
        source = find_teacher(config, tokenizer, codec)
        self.network = load(source, str(device)).network.eval().requires_grad_(False)

    def unguided(self, batch: Batch) -> Batch | None:
        """Returns what guidance reads beside a batch on the CPU; None if nothing is guided."""
        return unconditional(batch, self._tokenizer) if self.config.guidance > 1 else None

    def divergence(
        self, batch: Batch, attend: Attend, logits: Sequence[Tensor], unguided: tuple[Batch, Attend] | None = None
    ) -> Tensor:
        """Returns T² KL(teacher ‖ student), summed over the predictions of a batch, in nats.

        Heads ahead learn from the codes alone: the teacher needn't have any.

        Args:
            batch: The batch, on the teacher's device.
            attend: The batch's attention, by the teacher's `model.window`.
            logits: The student's logits of each head, `[M, V]`.
            unguided: What `unguided` returned of the batch, on the teacher's device, and its attention.
        """
        heads = len(batch.rows) - batch.ahead
        with torch.no_grad():
            taught = self._predictions(batch, attend, heads)
            if unguided:
                taught = self._guided(taught, self._predictions(*unguided, heads))
        parts = zip(taught, logits[:heads], strict=True)
        return torch.stack([divergence(teacher, student, self.config.temperature) for teacher, student in parts]).sum()

    def _predictions(self, batch: Batch, attend: Attend, heads: int) -> list[Tensor]:
        read = batch.tokens_L, batch.codes_LK, batch.positions_L
        predicted: list[Tensor] = self.network(*read, attend, batch.rows[:heads])
        return predicted

    def _guided(self, taught: list[Tensor], without: list[Tensor]) -> list[Tensor]:
        """Returns the predictions with those of codebook 0 guided, as `model.decoding` guides them."""
        scale, rescale = self.config.guidance, self.config.rescale
        num_codebooks = self.network.num_codebooks
        rescaled = {0: 0.0, num_codebooks + 1: rescale, head_of_all(num_codebooks, 0, 0): rescale}
        return [
            guide(with_MV, without[head], scale, rescaled[head]) if head in rescaled and len(with_MV) else with_MV
            for head, with_MV in enumerate(taught)
        ]


def divergence(teacher_MV: Tensor, student_MV: Tensor, temperature: float) -> Tensor:
    """Returns T² KL(teacher ‖ student) of logits at a temperature, summed over M, in nats."""
    teacher, student = ((logits / temperature).log_softmax(-1) for logits in (teacher_MV, student_MV))
    return temperature**2 * F.kl_div(student, teacher, reduction="sum", log_target=True)


def find_teacher(config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity) -> Path:
    """Finds the teacher's checkpoint and checks that the student can learn from it; reads no weights.

    Args:
        config: All sections of the student; `distill.teacher` must be set.
        tokenizer: The student's vocabulary.
        codec: The dataset's codec.

    Returns:
        The checkpoint.

    Raises:
        UsageError: if the teacher has another vocabulary, `model.group`, `data.levels`, `model.text_spacing` or
            measured paces, wasn't trained on a mode or task of the student, or can't be guided.
        CodecError: if the teacher was trained on another codec's codes.
        MissingInputError: if there is no such checkpoint.
        ArtefactError: if it is damaged.
    """
    source = find(Path(str(config.distill.teacher)))
    read_meta(source).codec.require(codec, config.data.store)
    theirs, teacher = read_config(source), read_tokenizer(source)
    if teacher.tokens != tokenizer.tokens:
        raise _unfit(source, "the vocabulary", _difference(teacher, tokenizer))
    for key in ("group", "text_spacing"):  # both lay out what student and teacher read
        here, there = (getattr(each.model, key) for each in (config, theirs))
        if here != there:
            raise _unfit(source, f"`model.{key}` = {here}", f"has {there}")
    if theirs.data.levels != config.data.levels:
        raise _unfit(source, f"`data.levels` = {config.data.levels}", f"has {theirs.data.levels}")
    if teacher.paces != tokenizer.paces:
        raise _unfit(
            source, f"the paces of `model.text_spacing: {config.model.text_spacing}`", _other_pace(teacher, tokenizer)
        )
    for section in ("modes", "tasks"):
        learnt, wanted = (getattr(each.data, section) for each in (theirs, config))
        if unknown := [name for name, weight in wanted.items() if weight and not learnt.get(name)]:
            raise _unfit(source, f"`data.{section}`", f"wasn't trained on `{unknown[0]}`")
    if config.distill.guidance > 1:
        _check_guidable(source, theirs, config.distill.guidance)
    return source


def _check_guidable(source: Path, theirs: TrainConfig, guidance: float) -> None:
    if baked := read_meta(source).guidance:
        raise UsageError(
            f"`distill.guidance` = {guidance:g} needs a teacher that guidance is for, but `{source}` already speaks as"
            f" with guidance {baked:g}. Give that model's own teacher, or leave `distill.guidance` out."
        )
    if not theirs.data.unconditional_probability:
        raise UsageError(
            f"`distill.guidance` = {guidance:g} needs a teacher that was also trained without text and prompt, but"
            f" `{source}` wasn't. Train it with a `data.unconditional_probability` above 0, such as 0.1."
        )


def _difference(teacher: Tokenizer, student: Tokenizer) -> str:
    for first, second, problem in ((student, teacher, "lacks {} tokens"), (teacher, student, "has {} more tokens")):
        if extra := [token for token in first.tokens if token not in set(second.tokens)]:
            return f"{problem.format(len(extra))}, such as `{extra[0]}`"
    return "has the same tokens in another order"


def _other_pace(teacher: Tokenizer, student: Tokenizer) -> str:
    here, there = student.paces, teacher.paces
    name = next(name for name in sorted({*here, *there}) if here.get(name) != there.get(name))
    told = [f"{paces[name]:.4g}" if name in paces else "no measure" for paces in (there, here)]
    return f"has other ones, such as {told[0]} frames for `{name or 'silence'}` in place of {told[1]}"


def _unfit(source: Path, what: str, problem: str) -> UsageError:
    return UsageError(
        f"`distill.teacher` = `{source}` must share {what} with the model that learns from it, but {problem}."
        " Use another teacher, or give this model the teacher's configuration."
    )
