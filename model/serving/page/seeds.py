"""The seed of a request: a new one each time, or the one that the user wants again."""

import secrets
from typing import Any

import gradio as gr

from model.serving.page.controls import checked_whole
from stages.errors import UsageError

DRAWN_BELOW = 1 << 31
"""Seeds that the page draws are below this."""
GREATEST = (1 << 53) - 1
"""The greatest whole number that a browser keeps as it is."""


def draw_seed(name: str) -> tuple[Any, Any]:
    """Draws the field of the seed, and whether to take a new one each time."""
    field = gr.Number(
        0, label="Seed", info="The same seed gives the same speech.", step=1, min_width=200, elem_id=f"{name}-seed"
    )
    fresh = gr.Checkbox(
        value=True,
        label="A new seed each time",
        info="Off: the seed beside is used.",
        min_width=200,
        elem_id=f"{name}-fresh",
    )
    return field, fresh


def seed_of(given: float | None, *, fresh: bool) -> int:
    """Returns the seed to use; raises `UsageError` for one that can't be.

    Args:
        given: What the field holds; None if it is empty.
        fresh: Whether to draw a new one.
    """
    if fresh:
        return secrets.randbelow(DRAWN_BELOW)
    seed = checked_whole("seed", given or 0)
    if not 0 <= seed <= GREATEST:
        raise UsageError(f"`seed` must be 0 to {GREATEST}, but is {seed}.")
    return seed
