"""The controls of decoding. Those of the samplers come from the samplers' table: a new one appears by itself."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import gradio as gr

from model.decoding.options import FIRST_MODES, STEPS, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import OPTIONS, SAMPLERS, Sampling
from model.decoding.samplers.sampler import Option
from model.serving.page.studio import in_words
from stages.errors import UsageError

MAX_STEPS = 200
"""Most passes of `nar-len` and `all` that the page asks for, as the server's."""
_ACRONYMS = {"dry": "DRY", "ras": "RAS"}
_LOOKING_BACK = frozenset(option.name for sampler in SAMPLERS if sampler.looks_back for option in sampler.options)
"""Options of samplers that need the frames one after the other, which only `ar` has."""


_AR: tuple[FirstMode, ...] = ("ar",)


@dataclass(frozen=True, slots=True)
class Field:
    """A setting of decoding that isn't a sampler's."""

    label: str
    info: str
    modes: tuple[FirstMode, ...] = tuple(FIRST_MODES)
    """The modes that it is for."""
    kind: type[int] | type[float] | type[bool] = int
    empty: str = ""
    """What an empty field shows; "" for its default."""


FIELDS: Mapping[str, Field] = {
    "steps": Field("Steps", "Passes of the network.", tuple(STEPS), empty="the mode's own"),
    "guidance": Field(
        "Guidance",
        "How much more the text and voice count (classifier-free guidance). 1 is off; empty is the mode's own.",
        kind=float,
        empty="the mode's own",
    ),
    "beam_width": Field("Beam width", "Search with so many sequences, in place of draws. 1 is off.", _AR),
    "max_ar_context": Field(
        "Context", "Attend to so many last frames of the speech only. Empty: to all.", _AR, empty="all"
    ),
    "refine_on_stop": Field(
        "Refine on stop", "When the speech has ended, take the likeliest code in each place.", _AR, bool
    ),
    "layer_skip": Field("Early exit", "On a CPU: end a step at a layer that is sure of the next code.", _AR, bool),
    "layer_skip_exit_layer": Field("Exit layer", "The first that may end a step early.", _AR, empty="the middle"),
    "layer_skip_entropy_threshold": Field(
        "Exit entropy", "With early exit: the entropy that a sure layer is below, in nats.", _AR, float
    ),
    "layer_skip_varentropy_threshold": Field(
        "Exit varentropy", "With early exit: the varentropy that it is below too.", _AR, float
    ),
    "nar_temperature": Field("NAR temperature", "Of the codebooks after the first. 0 takes the likeliest.", kind=float),
}
_OWN = [field.name for field in fields(Decoding) if field.name in FIELDS]
"""Those that are fields of `Decoding` itself."""


class Controls:
    """The controls of decoding, drawn where they are made.

    Args:
        default: The values shown at first, and where a field is emptied.
        modes: Those that the model was trained in, at least one.
        can_guide: Whether it was trained for guidance.
    """

    def __init__(self, default: Decoding, modes: list[FirstMode], *, can_guide: bool) -> None:
        self._default = default
        first = default.mode if default.mode in modes else modes[0]
        self.components: dict[str, Any] = {}
        """By the name of what they set, in the order in which `decoding` takes their values."""
        choices = [(f"{mode}: {FIRST_MODES[mode]}", mode) for mode in modes]
        self.mode = self.components["mode"] = gr.Radio(choices, value=first, label="Mode", visible=len(modes) > 1)
        values = _values(default)
        with gr.Accordion("Decoding", open=False), gr.Row(elem_classes="fields"):
            for name, field in FIELDS.items():
                shown = (can_guide or name != "guidance") and first in field.modes
                self.components[name] = _field(field, values[name], visible=shown)
        with gr.Accordion("Samplers", open=False), gr.Row(elem_classes="fields"):
            for row in OPTIONS:
                value = values[row.name]
                self.components[row.name] = _number(row, value, visible=first == "ar" or row.name not in _LOOKING_BACK)
        bound = {name: own for name in self.components if len(own := _modes_of(name)) < len(FIRST_MODES)}
        show_by(self.mode, [(self.components[name], own) for name, own in bound.items()])

    def decoding(self, values: Mapping[str, Any]) -> Decoding:
        """Returns the settings of decoding.

        Args:
            values: A value for each of `components`. None and "" are the default. What a mode lacks doesn't count.

        Raises:
            UsageError: for values out of range, or that make no sense together.
        """
        mode = values["mode"]
        usual = {**_values(Decoding()), "mode": mode}
        own = {**_values(self._default), "mode": mode}
        typed = {name: number_of(name, values[name]) for name in self.components if name != "mode"}
        given = {"mode": mode} | {name: own[name] if value is None else value for name, value in typed.items()}
        found = {name: given[name] if mode in _modes_of(name) else usual[name] for name in given}
        if found["steps"] is not None and found["steps"] > MAX_STEPS:
            raise UsageError(f"`steps` must be at most {MAX_STEPS}, but is {found['steps']}.")
        if not 0 <= found["nar_temperature"] < float("inf"):
            raise UsageError(f"`nar_temperature` must be 0 or more, but is {found['nar_temperature']:g}. 0 is greedy.")
        whole = {name for name, field in FIELDS.items() if field.kind is int} | {
            row.name for row in OPTIONS if row.kind is int
        }
        found |= {name: checked_whole(name, found[name]) for name in whole if found[name] is not None}
        first = Sampling(**{row.name: row.kind(found[row.name]) for row in OPTIONS})
        # What has no control here is as on the command line, where it was for this mode.
        base = self._default if mode == self._default.mode else Decoding()
        return replace(
            base,
            mode=mode,
            ar=first if mode == "ar" else Sampling(),
            unmasking=replace(
                self._default.unmasking,
                steps=found["steps"],
                sampling=first if mode in STEPS else Unmasking().sampling,
            ),
            nar=Sampling(float(found["nar_temperature"])),
            **{name: found[name] for name in _OWN},
        )

    def filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values of the controls with those filled in that the user had emptied."""
        return {name: part.value if values[name] is None else values[name] for name, part in self.components.items()}


def _modes_of(name: str) -> tuple[FirstMode, ...]:
    """Returns the modes that a control is for."""
    if name in _LOOKING_BACK:
        return _AR
    return FIELDS[name].modes if name in FIELDS else tuple(FIRST_MODES)


def _values(decoding: Decoding) -> dict[str, Any]:
    """Returns the values of the controls for settings of decoding."""
    sampling = decoding.ar if decoding.mode == "ar" else decoding.unmasking.sampling
    return {
        "mode": decoding.mode,
        "steps": decoding.unmasking.steps,
        **{name: getattr(decoding, name) for name in _OWN},
        "nar_temperature": decoding.nar["temperature"],
        **sampling.named(),
    }


def _field(field: Field, value: Any, *, visible: bool) -> Any:
    if field.kind is bool:
        return gr.Checkbox(bool(value), label=field.label, info=field.info, visible=visible, min_width=200)
    return entry(field.label, field.info, value, empty=field.empty, whole=field.kind is int, visible=visible)


def _number(row: Option, value: float, *, visible: bool) -> gr.Number:
    words = [_ACRONYMS.get(word, word) for word in row.name.split("_")]
    label = " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
    return entry(label, in_words(row.help), value, whole=row.kind is int, visible=visible)


def show_by(chosen: Any, parts: Sequence[tuple[Any, Sequence[str]]]) -> None:
    """Shows parts of the page only while one of their values is chosen.

    The browser does it by itself: an answer of the server would come while the user types already, and take away what
    was typed.

    Args:
        chosen: What is chosen from.
        parts: Each part, and the values with which it is shown.
    """
    values = json.dumps([own for _, own in parts])
    chosen.change(
        None,
        chosen,
        [part for part, _ in parts],
        js=f"(now) => {values}.map((own) => ({{__type__: 'update', visible: own.includes(now)}}))",
        api_visibility="private",
    )


def entry(
    label: str, info: str, value: float | None, *, empty: str = "", whole: bool = False, visible: bool = True
) -> Any:
    """Draws a field for a number, which `number_of` reads; an empty one shows `empty`, or its first value."""
    if value is None:  # an empty field of `Number` sends 0 once it was shown
        return gr.Textbox("", label=label, info=info, placeholder=empty, visible=visible, min_width=200)
    # No `precision`: Gradio would round what isn't whole without a word.
    shown = empty or f"{value:g}"
    step = 1 if whole else 0.05
    return gr.Number(value, label=label, info=info, step=step, placeholder=shown, visible=visible, min_width=200)


def number_of(name: str, value: float | str | None) -> float | None:
    """Returns the number that a field holds, None if it is empty; raises `UsageError` if it isn't a number."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if value.strip() else None
    except ValueError:
        raise UsageError(f"`{name}` must be a number, but is `{value}`.") from None


def checked_whole(name: str, value: float) -> int:
    """Returns a whole number; raises `UsageError` for another one."""
    if not math.isfinite(value) or value != int(value):
        raise UsageError(f"`{name}` must be a whole number, but is {value:g}.")
    return int(value)
