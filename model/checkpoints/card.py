"""Writes the card of an exported model: what it was trained on, how, and how well it does on its validation set."""

from collections.abc import Iterator
from typing import Any

from model.checkpoints.model import Model
from stages.artefacts.manifest import NOT_KNOWN
from stages.publish.cards import card, reasons, table

_TRAINING = {
    "optimizer": ("matrices", "lr", "schedule", "warmup_steps"),
    "data": ("modes", "tasks", "batch_tokens", "prompt_s", "unconditional_probability"),
    "trainer": ("accumulate", "devices", "precision", "seed", "start_from", "ema_decay"),
    "lora": ("rank",),
    "distill": ("teacher", "weight", "guidance"),
}
"""The settings of the training that a card tells, unless they are off."""


def model_card(model: Model, *, use: str, library: str = "", tag: str = "", evaluation: str = "") -> str:
    """Returns the card of a model.

    All it tells is in the model's checkpoint; an older one knows less.

    Args:
        model: The model.
        use: How it is used, in Markdown.
        library: The hub's name of the library that opens it; "" for none.
        tag: A tag beside the usual ones.
        evaluation: Rows of `valle eval`, as text.
    """
    meta, figures = model.meta, model.meta.figures
    front = {
        "language": sorted(meta.languages),
        "library_name": library,
        "pipeline_tag": "text-to-speech",
        "tags": ["text-to-speech", "codec-language-model", *([tag] if tag else [])],
    }
    sections = {
        "Use": use,
        "Training data": "\n\n".join(
            filter(None, [table(["", ""], _data(model)), reasons(figures.get("left_out", {}))])
        ),
        "Training": table(["", ""], _training(model)),
        "Validation": table(["", "loss", "accuracy"], _validation(figures.get("validation", {}))),
        "Evaluation": f"```\n{evaluation.strip()}\n```" if evaluation.strip() else "",
    }
    body = "\n\n".join(f"## {name}\n\n{text.strip()}" for name, text in sections.items() if text.strip())
    return card(front, f"# A speech model of `valle`\n\nIt speaks texts in the voice of a recording.\n\n{body}")


def _data(model: Model) -> Iterator[tuple[str, object]]:
    meta, codec, figures = model.meta, model.meta.codec, model.meta.figures
    named = {"hours": "hours", "utterances": "utterances", "speakers": "speakers"}
    for key, name in named.items():
        if key in figures:
            yield name, figures[key]
    if figures.get("not_used"):
        yield "utterances of the dataset that weren't used", figures["not_used"]
    for language, hours in figures.get("hours_by_language", {}).items():
        yield f"hours in `{language}`", hours
    if not figures and meta.languages:
        yield "languages", ", ".join(meta.languages)
    yield "codec", codec.describe()
    yield "licence of the codec's weights", codec.licence or NOT_KNOWN
    yield "fingerprint of the dataset", f"`{meta.dataset}`"


def _training(model: Model) -> Iterator[tuple[str, object]]:
    shape = model.config.model
    yield "parameters", model.num_parameters
    yield "steps", model.meta.step
    yield "network", f"{shape.arch}, {shape.layers} layers × {shape.width}, {shape.heads} heads"
    for section, keys in _TRAINING.items():
        values = getattr(model.config, section)
        for key in keys:
            value, default = getattr(values, key), type(values).model_fields[key].default
            off = section in {"lora", "distill"} and (value == default or not values.model_fields_set)
            if value is not None and not off:
                yield f"`{section}.{key}`", f"`{value}`"
    if model.meta.guidance:
        yield "guidance", f"{model.meta.guidance:g}, built in: it takes no `--guidance`"


def _validation(values: dict[str, Any]) -> Iterator[tuple[str, object, object]]:
    prefix = "validation/loss"
    for name, loss in values.items():
        if name.startswith(prefix):
            part = name.removeprefix(prefix)
            accuracy = values.get(f"validation/accuracy{part}")
            shown = "" if accuracy is None else f"{accuracy:.4f}"
            yield part.removeprefix("_") or "all", f"{loss:.4f}", shown
