"""Tells which models other programs can decode."""

from model.config import TrainConfig
from stages.errors import UsageError


def check_portable(config: TrainConfig, kind: str) -> None:
    """Checks that a driver as those of `docs/exports.md` can decode a model.

    Args:
        config: Of its training.
        kind: The format it is written in, `--format`.

    Raises:
        UsageError: if codebooks are predicted in another way than one pass for each above the first, or if frames read
            the phonemes that they say.
    """
    if (levels := config.data.levels) != "sums":
        raise UsageError(
            f"`--format {kind}` needs a model with `data.levels: sums`, but this one has {levels}: the codebooks above"
            " the first aren't predicted by a pass for each. Use `--format safetensors`."
        )
    if config.model.names_said:
        raise UsageError(
            f"`--format {kind}` needs a model whose frames don't read the phonemes that they say, but this one has"
            " `model.text_spacing: aligned`. Use `--format safetensors`."
        )
